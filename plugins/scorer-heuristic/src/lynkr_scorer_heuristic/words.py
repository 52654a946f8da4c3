"""What the signals and gates listen for, in English, Russian, German, Spanish and Chinese. Data.

Words are lower case and stand between Unicode word boundaries. A phrase is looked for when its first word occurs.
Chinese has no spaces: its terms are looked for anywhere, and so they are long enough to mean one thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREETING = words(
    """
    hi hello hey hiya yo thanks thank thx ty cheers ok okay k yes yep yeah yup no nope sure great cool nice perfect awesome
    good continue proceed go lgtm done welcome bye goodbye morning ping test
    привет здравствуйте здравствуй спасибо ок окей да нет хорошо отлично понятно понял поняла супер продолжай продолжайте пока
    добрый
    hallo moin servus danke dankeschön ja nein gut super prima klasse weiter tschüss guten hola gracias vale sí si no claro
    perfecto genial bueno buenos buenas continúa sigue adiós
    """
)
"""At least one of these makes small talk, if nothing but small talk stands beside it."""
SMALL_TALK = GREETING | words(
    """
    there again you very much so a lot that this it is was works worked fine well everyone all for the your help do day
    evening afternoon please go on ahead now and i m am just what s up how are doing got looks sounds
    день вечер утро доброе большое вам тебе тебя всё все вас как дела работает очень помощь за заработало
    tag morgen abend schön vielen dank sehr das hat funktioniert geklappt wie geht es dir ihnen s bitte mach días tardes
    noches muchas muchísimas qué que tal por favor eso funcionó funciona cómo estás está todo bien te adelante
    """
)
POLITE = SMALL_TALK | words(
    """
    hope could would can will want need like me with following advance really appreciate kindly best regards wondering if able
    love to thanking dear sir madam team question my here have one let know in advance
    можешь можете помоги помогите мне пожалуйста заранее с этим
    kannst könntest können könnten mir helfen im voraus bei folgendem puedes podrías podría ayudarme con esto de antemano
    """
)
"""A sentence of only these at either end says nothing of the task."""
LEAD = words(
    """
    please can could would will you kindly hi hey hello help me just so ok okay now also to i want need d like and then let s
    us
    пожалуйста можешь можете привет помоги помогите мне ну давай
    bitte kannst könntest du mir hallo por favor puedes podrías hola me y ahora
    """
)
"""Words before the verb or the question word."""

PROOF = words("prove disprove derive докажи докажите выведи выведите beweise beweisen demuestra deriva")
"""Imperatives of proof; which are meant as such, a gate's pattern tells."""
SIDE = words(
    """
    title commit suggestion suggest generate tags paths filepaths summary summarize summarise quota
    titel überschrift título название заголовок
    """
)
"""Without one of these at its beginning no request is a coding tool's own."""

LOOK_UP = words(
    """
    who whom whose what which when where whats define
    кто что какой какая какое какие где когда сколько
    wer was welche welcher welches wann wo wieviel quién quien qué que cuál cual cuándo cuando dónde donde cuánto cuánta
    cuántos cuántas
    """
)
WHO = words("who whose кто чей wer wessen quién quien")
"""Whoever asks for a person wants a name, whatever that person has proved or designed."""
LOOK_UP_PHRASES = (
    "how many", "how much", "how old", "how tall", "how far", "how long", "how do you say", "is it", "is there", "does it",
    "wie viel", "wie viele", "wie heißt", "wie hoch", "wie alt", "cómo se dice", "cómo se llama", "как называется", "как зовут",
    "in one word", "in two words", "is this", "are there", "одним словом", "in einem wort", "en una palabra",
)  # fmt: skip
ONE_STEP = words(
    """
    rename open show list print convert translate sort count capitalize uppercase lowercase run say reply spell format extract
    correct bump delete remove classify repeat read tell
    переименуй открой покажи переведи перечисли посчитай скажи исправь
    übersetze zeige öffne zähle nenne sag liste korrigiere traduce muestra abre cuenta di lista renombra corrige
    """
)
ONE_STEP_PHRASES = ("fix the typo", "fix typo", "fix a typo", "put these", "put the", "what does it say", "add a comment")
OTHER_TASK = words(
    """
    why explain prove derive design implement refactor debug migrate analyze analyse investigate build
    почему объясни докажи спроектируй реализуй
    warum erkläre beweise entwirf implementiere explica explícame demuestra diseña implementa
    """
)
"""With one of these a request is no look-up and no single step, however short."""

DOMAIN = words(
    """
    contract clause clauses liability law legal court statute tenant plaintiff patient dose dosage diagnosis symptoms drug antibiotics
    surgery tax audit revenue portfolio hedge inflation valuation equation integer integers matrix polynomial theorem integral
    derivative probability vector graph prime primes set sequence converges gradient eigenvalue modulo
    договор закон суд иск пациент диагноз доза налог выручка уравнение матрица вероятность простых последовательность
    vertrag klausel klauseln gesetz gericht patient dosis diagnose steuer umsatz gleichung matrix wahrscheinlichkeit folge
    contrato cláusula cláusulas ley tribunal paciente dosis impuesto ingresos ecuación matriz probabilidad sucesión
    """
)
"""Words of fields in which mistakes are dear or reasoning is long."""
POINTING = words(
    """
    it this that these those them they he she one ones other same thing things stuff something there here again
    это этот эта эти то тот там тут его её их он она оно опять
    das dies diese dieses es ihn sie dort hier wieder eso esto esta este ese esa lo ahí aquí otra otro
    """
)
"""Words that mean what was said before."""

VOCABULARY: Mapping[str, frozenset[str]] = {
    "make": words(
        """
        write create implement build generate draft develop make code add compose prepare fix refactor rewrite update extend
        напиши создай реализуй сделай добавь исправь разработай составь перепиши
        schreib schreibe erstelle baue implementiere entwickle verfasse behebe escribe crea implementa haz añade desarrolla
        redacta genera arregla
        """
    ),
    "question": words(
        """
        why how explain compare difference describe summarize summarise analyze analyse evaluate discuss contrast debug review
        investigate diagnose interpret justify suggest brainstorm outline plan recommend
        почему объясни объясните сравни опиши проанализируй разбери обоснуй зачем как чем
        warum erkläre erklär vergleiche beschreibe analysiere begründe wieso unterschied wie explica explícame compara
        describe analiza resume evalúa justifica diferencia cómo plan
        """
    ),
    "design": words(
        """
        design architect architecture system systems layer framework engine optimize optimise migrate migration scalable
        scalability distributed multitenant tenant tenants failover tradeoff tradeoffs microservice microservices monolith
        pipeline platform infrastructure orchestration compliance redundancy throughput latency availability consistency
        permissions permission schema protocol rollback downtime integration integrations roadmap strategy subsystem
        observability sharding shard audit residual
        спроектируй спроектируйте архитектура архитектуру архитектуры миграция миграцию миграции масштабируемость
        масштабируемую распределённой распределённую распределенной распределенную отказоустойчивость отказоустойчивую
        платформу систему системы
        entwirf entwerfe system architektur migration skalierbar skalierbare skalierbares verteiltes verteilte verteilten
        mandantenfähig mandantenfähige plattform redundanz verfügbarkeit ausfallsicherheit diseña sistema sistemas
        arquitectura migración migrar escalable distribuido distribuida plataforma monolito servicios disponibilidad
        redundancia inquilinos
        """
    ),
    "formal": words(
        """
        prove proof proofs theorem lemma derive derivation invariant invariants induction contradiction optimal optimality np
        complexity undecidable decidable consensus linearizable linearizability deadlock race atomics atomic memory ordering
        lockfree algorithm algorithms asymptotic convergence converges theorems corollary equilibrium counterexample bijection
        minimises minimizes concurrent concurrency flaky intermittent intermittently nondeterministic leak corruption gradient
        eigenvalue recurrence
        докажи докажите доказательство доказать теорема теорему лемма выведи инвариант инварианта индукции противного алгоритм
        сходимость оптимален оптимальность гонка взаимоблокировка
        beweise beweis zeige satz lemma leite herleitung invariante induktion widerspruch algorithmus konvergenz optimal
        optimalität nebenläufig nebenläufigkeit verklemmung demuestra demostración teorema lema deriva invariante inducción
        contradicción algoritmo convergencia óptimo concurrencia
        """
    ),
    "deep": words("ultrathink megathink"),
    "incident": words(
        """
        postmortem sicherheitsprüfung sicherheitsüberprüfung sicherheitsanalyse sicherheitsvorfall bedrohungsmodell
        """
    ),
    "steps": words(
        """
        then afterwards finally next first second third both each also including include includes plus along everything
        затем потом сначала наконец также каждый
        dann danach zuerst schließlich anschließend außerdem jeweils luego después primero finalmente además también cada
        """
    ),
    "language": words(
        """
        python javascript typescript java rust golang c++ kotlin swift ruby php sql html css bash shell script function class method
        regex query endpoint dockerfile terraform component app api program
        функцию функция скрипт класс запрос программу funktion skript klasse abfrage programm función clase consulta programa
        """
    ),
    "constraints": words(
        """
        must without only never exactly least most ensure required requires guarantee guarantees avoid within strict strictly
        under keep keeps cannot unless instead while sub handle handles support supports
        должен должна должно должны без только ровно никогда обязательно нельзя не
        muss müssen ohne nur genau nie mindestens höchstens sicherstellen debe deben sin solo sólo exactamente nunca mínimo
        máximo asegura garantiza
        """
    ),
    "closed": words(
        """
        classify categorize categorise label labels category categories tag tags extract translate translation proofread typo typos
        spelling spelled spelt grammar json csv synonym synonyms acronym abbreviation hashtag hashtags emoji slug sentiment
        pronounce pronounced pronunciation rhymes anagram syllables vowels
        классифицируй категория категории категорию метка метки метку тег теги извлеки достань переведи перевод опечатки синоним синонимы
        тональность произносится ударение пишется рифма заглавными прописными строчными
        klassifiziere kategorie kategorien extrahiere übersetze übersetzen übersetzung rechtschreibung tippfehler synonym synonyme
        aussprache ausgesprochen geschrieben großbuchstaben kleinbuchstaben
        clasifica categoría categorías etiqueta etiquetas extrae traduce traducción ortografía erratas sinónimo sinónimos
        pronuncia mayúsculas minúsculas rima
        traduis traduction orthographe catégorie étiquette traduci traduzione categoria traduza tradução
        """
    ),
    "lay": words(
        """
        recipe recipes joke jokes pun puns riddle poem limerick haiku rhyme speech toast sketch skit quiz trivia slogan nickname
        anecdote fable bedtime lullaby lyrics caption captions postcard invitation invite flyer leaflet poster newsletter blog advert
        cartoon comic funny playful witty cosy heartfelt cheerful layman laymen beginner beginners grader graders teenager teenagers
        рецепт анекдот анекдоты шутка шутку шутки стих стихи стишок частушку четверостишие тост сценку сценка викторину викторина
        загадку загадка прозвище слоган отзыв сказку сказка песню объявление листовку плакат открытку приглашение поздравление юбилей
        смешно смешной смешную весело ласково доброжелательно детям школьнику школьников первоклассникам бабушке дедушке
        rezept witz witze witzig wortspiel wortspiele rätsel gedicht limerick reim rede trinkspruch sketch pointe kneipenquiz quizfragen
        spitzname spruch sprüche anekdote märchen gutenachtgeschichte liedtext postkarte grußkarte glückwunschkarte einladung aushang
        plakat rundbrief vereinsheft werbetext lustig liebevoll humorvoll augenzwinkernd kindgerecht laien laie anfänger
        receta recetas chiste chistes poema discurso brindis adivinanza trivial apodo eslogan anécdota cuento fábula nana postal
        felicitación invitación cartel folleto boletín divertido divertida gracioso graciosa cariñoso cariñosa entrañable principiantes
        recette blague poème discours devinette invitation affiche dépliant rigolo receita piada poema convite cartaz ricetta
        barzelletta poesia filastrocca invito volantino
        """
    ),
}  # fmt: skip
PHRASES: Mapping[str, tuple[str, ...]] = {
    "design": (
        "trade off", "trade offs", "data model", "state machine", "zero downtime", "real time", "multi tenant", "role based",
        "bounded context", "bounded contexts", "edge cases", "rate limiting", "event driven", "disaster recovery",
        "high availability",
    ),
    "formal": (
        "big o", "lock free", "race condition", "memory leak", "show that", "lower bound", "upper bound", "closed form",
        "if and only if", "root cause", "dynamic programming", "time complexity", "worst case",
    ),
    "steps": (
        "step by step", "after that", "as well as", "end to end", "one by one", "in order", "шаг за шагом", "schritt für schritt",
        "paso a paso",
    ),
    "deep": (
        "think hard", "think harder", "think very hard", "think really hard", "think deeply", "think very carefully",
        "подумай хорошенько", "подумай как следует", "подумай глубоко", "denk gründlich", "denke gründlich", "denk scharf",
        "denk intensiv", "piensa bien", "piensa a fondo", "piensa profundamente",
    ),
    "incident": (
        "production is down", "prod is down", "site is down", "production went down", "production outage", "major outage",
        "major incident", "critical incident", "production incident", "security incident", "post mortem", "data breach",
        "security review", "security audit", "security assessment", "security analysis", "security issues", "security holes",
        "security flaws", "for vulnerabilities", "threat model", "threat modeling", "threat modelling", "penetration test",
        "root cause analysis", "аудит безопасности", "модель угроз", "утечка данных", "прод упал", "продакшн упал",
        "auditoría de seguridad", "revisión de seguridad", "modelo de amenazas", "brecha de datos", "produktion steht",
    ),
    "constraints": (
        "at most", "at least", "no more than", "as few as", "up to", "не более", "не менее", "como máximo", "al menos",
    ),
    "closed": (
        "yes no", "yes or no", "y n", "true false", "true or false", "nothing else", "no explanation", "no explanations", "no commentary",
        "one word", "single word", "one sentence", "one line", "one of", "pick one", "choose one", "output only", "return only",
        "odd one out", "how many letters", "count the words", "count the letters", "reply only", "answer only", "respond only",
        "reply with", "answer with", "respond with", "return the", "only the", "just the",
        "да нет", "да или нет", "одним словом", "одно слово", "одной строкой", "одним предложением", "одно предложение", "без пояснений",
        "без объяснений", "ничего больше", "верни только", "выведи только", "ответь одним",
        "ja nein", "ja oder nein", "sonst nichts", "ohne erklärung", "ein wort", "ein satz", "einem satz", "einem wort", "nur die", "nur das",
        "nur den", "gib nur", "antworte nur", "antworte mit",
        "sí no", "sí o no", "nada más", "una palabra", "una frase", "una línea", "sin explicaciones", "sin explicación", "devuelve solo",
        "devuelve sólo", "responde solo", "responde sólo", "solo el", "solo la", "oui non", "oui ou non", "un seul mot", "sans explication",
        "sim não", "sim ou não", "sì no", "sì o no",
    ),
    "lay": (
        "year old", "year olds", "5th grade", "6th grade", "7th grade", "8th grade", "9th grade", "in plain words", "in simple words",
        "plain english", "no formulas", "without formulas",
        "for kids", "for children", "for dummies", "high school", "middle school",
        "простыми словами", "без формул", "на пальцах", "для детей", "для чайников", "для школьников",
        "für kinder", "für laien", "für die klasse", "ohne formeln", "keine formeln", "in einfachen worten", "mit einfachen worten",
        "für meine oma", "für den aushang",
        "para niños", "para principiantes", "sin fórmulas", "palabras sencillas", "en cristiano", "pour enfants", "sans formules",
        "sem fórmulas", "senza formule",
    ),
}  # fmt: skip
CHINESE: Mapping[str, tuple[str, ...]] = {
    "language": ("函数", "代码", "脚本", "程序", "接口"),
    "make": ("写一个", "写一段", "写个", "编写", "实现", "创建", "生成", "构建", "修复", "开发"),
    "question": ("为什么", "解释", "比较", "区别", "分析", "如何", "怎么", "总结", "描述", "说明", "评估"),
    "design": ("设计", "架构", "迁移", "可扩展", "分布式", "高可用", "权衡", "平台", "多租户", "微服务", "系统", "合规", "容灾"),
    "formal": (
        "证明", "推导", "定理", "引理", "归纳", "反证", "算法", "并发", "死锁", "收敛", "最优", "复杂度", "一致性", "不变量",
        "均衡",
    ),
    "steps": ("然后", "首先", "最后", "并且", "以及", "同时", "接着", "分别", "一步一步"),
    "constraints": ("必须", "至少", "最多", "不能", "只能", "不超过", "确保", "支持", "要求"),
    "lookup": (
        "是什么", "什么是", "是谁", "谁是", "谁证明", "谁提出", "谁发明", "谁写", "哪一年", "哪个", "在哪", "多少", "几个",
        "什么时候", "首都",
    ),
    "deep": ("深入思考", "仔细思考", "好好想想"),
    "incident": (
        "安全审计", "安全审查", "安全评审", "安全评估", "威胁模型", "威胁建模", "线上事故", "线上故障", "故障复盘", "数据泄露",
        "渗透测试",
    ),
    "one_step": ("翻译", "重命名", "打开", "列出", "转换"),
    "closed": (
        "分类", "标签", "提取", "抽取", "只输出", "只返回", "只回答", "只回复", "只要", "不要解释", "是/否", "是或否", "一句话", "一个词",
        "错别字", "数一数", "几个字", "怎么读", "怎么念", "读音", "拼音", "谐音", "押韵",
    ),
    "lay": (
        "菜谱", "家常做法", "笑话", "段子", "打油诗", "小诗", "顺口溜", "祝福语", "祝词", "致辞", "发言稿", "邀请函", "朋友圈", "文案",
        "海报",
        "传单", "口号", "标语", "谜语", "小品", "外号", "童话", "儿歌", "寄语", "启事", "招募", "小朋友", "大白话", "通俗", "搞笑", "幽默",
        "温馨",
        "接地气", "初一", "初二", "初中生", "小学生", "不要公式", "不用公式", "别用公式", "没有公式",
        "レシピ", "冗談", "だじゃれ", "スピーチ", "お知らせ", "チラシ", "中学生", "やさしい言葉", "数式なし", "레시피", "농담", "초대장",
        "초등학생", "중학생",
    ),
}  # fmt: skip

KNOWN: Mapping[str, str] = {word: signal for signal, heard in VOCABULARY.items() for word in heard}
"""Each word's signal; one word speaks for one signal."""
STARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    start: tuple(
        (f" {phrase} ", signal) for signal, phrases in PHRASES.items() for phrase in phrases if phrase.split()[0] == start
    )
    for start in {phrase.split()[0] for phrases in PHRASES.values() for phrase in phrases}
}
"""The phrases, between blanks, by their first word, each with its signal."""
LISTENED: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    word: (KNOWN.get(word, ""), STARTS.get(word, ())) for word in frozenset(KNOWN) | frozenset(STARTS)
}
"""All that is listened for: each word's signal, if it has one alone, and the phrases it may begin."""
CHINESE_SIGNAL: Mapping[str, str] = {term: signal for signal, terms in CHINESE.items() for term in terms}

TOKEN = re.compile(r"[\w%]+|[.!?…。！？\n,;，、；]")
ENDS = frozenset(".!?…。！？\n,;，、；")
"""What ends a sentence or a clause."""
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
CHINESE_TERM = re.compile("|".join(sorted(CHINESE_SIGNAL, key=len, reverse=True)))
