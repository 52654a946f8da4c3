{{- define "lynkr.name" -}}
{{- if contains "lynkr" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-lynkr" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "lynkr.selector" -}}
app.kubernetes.io/name: lynkr
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lynkr.labels" -}}
{{ include "lynkr.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
