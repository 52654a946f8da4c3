"""The dialect suite passes for the toy dialect and fails for each of its broken variants."""

from pathlib import Path

import pytest

from lynkr_core.plugins import NoConfig

SUITE = (
    (Path(__file__).parent / "toy_dialect.py").read_text()
    + r"""
from typing import ClassVar
from lynkr_core.testing.contracts.dialect import DialectContract

class TestToy(DialectContract):
    plugin = plugin
    requests: ClassVar = {"plain": b'{"model":"m", "prompt" : "hi \\u00fc","stream":true,"x":[1.50, {"y":null}]}'}
    responses: ClassVar = {"plain": b'{"id":"1","model":"m","text":"caf\\u00e9","usage":3}'}
    streams: ClassVar = {"plain": '{"id":"1","model":"m"}\n{"text":"caf"}\n{"text":"é 👋"}\n{"usage":3}\n{"end":true}\n'.encode()}
"""
)


def test_the_toy_passes(run_suite):
    recorder = run_suite(SUITE)
    assert (recorder.failed, NoConfig.__struct_config__.forbid_unknown_fields) == (set(), True)


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        (
            "fields = read_fields(body)",
            "fields = msgspec.json.decode(body, type=dict[str, Raw])",
            "test_a_malformed_body_is_an_invalid_request",
        ),
        (
            "type=type)\n    except BROKEN",
            "type=type)\n    except KeyError",
            "test_values_of_wrong_types_raise_nothing_but_invalid_request",
        ),
        (
            "return dict(request.extra)",
            "return {k: msgspec.json.decode(v) for k, v in request.extra.items()}",
            "test_an_untouched_request_is_written_as_it_came",
        ),
        (
            "return dict(request.extra)",
            "return {k: request.extra[k] for k in ('model', 'prompt')}",
            "test_an_untouched_request_is_written_as_it_came",
        ),
        (
            "return dict(request.extra)",
            "losses.append('x: why'); return dict(request.extra)",
            "test_an_untouched_request_is_written_as_it_came",
        ),
        ("response.model, text,", "response.model, text.strip('c'),", "test_an_answer_survives_being_written_and_read"),
        ('["usage"])', '["usage"] + 1)', "test_the_usage_is_found_without_the_rest"),
        (
            "type=Whole)\n        except BROKEN",
            "type=Whole)\n        except KeyError",
            "test_a_broken_answer_raises_nothing_but_upstream_error",
        ),
        ("[PartEnd(0), Finish", "[Finish", "test_a_stream_ends_well_and_keeps_the_grammar"),
        ("(self.rest + data)", "data", "test_a_stream_is_the_same_however_it_was_cut_into_pieces"),
        ("return [] if self.done else", "return [] if 1 else", "test_a_stream_that_stops_early_is_cut"),
        (
            "return [] if self.done else",
            "return [Finish('stop'), End()] if not self.done else",
            "test_a_stream_that_stops_early_is_cut",
        ),
        (
            "type=Line)\n        except BROKEN",
            "type=Line)\n        except KeyError",
            "test_a_garbled_stream_is_a_failure_and_never_an_exception",
        ),
        ("Line(text=event.value)", "Line(text=event.value[1:])", "test_a_stream_survives_being_written_and_read"),
        ('429: "rate_limited"', '429: "quota"', "test_an_error_survives_being_written_and_read"),
        ("if line.error is not None:", "if line.error == '':", "test_an_error_inside_a_stream_ends_it"),
        ("if wait.isdigit()", "if wait", "test_any_error_body_is_classified"),
        ("requests: ClassVar = {", "requests: ClassVar = {} and {", "test_there_are_samples"),
    ],
)
def test_a_broken_dialect_fails(run_suite, good, bad, test):
    assert good in SUITE
    assert test in run_suite(SUITE.replace(good, bad), test).failed
