"""Tokens of an issuer with real keys: whose are taken, whose are not, and how often it is asked."""

import asyncio
import base64
import hmac
import json
import logging
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lynkr_core.errors import ConfigError, GatewayError, PluginError, Unauthenticated, Unavailable
from lynkr_core.exchange import Principal, Reject
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call

pytestmark = pytest.mark.anyio
BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
SECRET = "a-shared-secret-of-this-test-with-enough-bytes-for-all-of-them-0123456789"
KEYS, DISCOVERY = "/keys", "/.well-known/openid-configuration"


def showing(token):
    return factories.exchange(BODY, headers={"authorization": f"Bearer {token}"})


async def told(tokens, token):
    try:
        answer = await call(tokens, "authenticate", showing(token))
    except GatewayError as error:
        return error
    return answer.error if isinstance(answer, Reject) else answer


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_is_a_principal(make, issuer, algorithm):
    who = await told(make(), issuer.token(algorithm))
    assert who == Principal(id="jwt:ada", user="ada")


async def test_claims_become_fields(make, issuer):
    claims = {
        "user": "email", "team": "https://x.example/team", "agent": "azp", "class": "llm.class", "tags": "scope", "models": "models",
        "tiers": "tiers", "local_only": "private",
    }  # fmt: skip
    said = {
        "email": "a@x", "https://x.example/team": "red", "azp": "bot", "llm": {"class": "T1"}, "scope": "a b", "models": ["x/*"],
        "tiers": ["simple"], "private": False,
    }  # fmt: skip
    assert await told(make(claims=claims), issuer.token(**said)) == Principal(
        id="jwt:ada",
        user="a@x",
        team="red",
        agent="bot",
        principal_class="T1",
        tags=("a", "b"),
        models=("x/*",),
        tiers=("simple",),
    )


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"models": "m"}, {}), ({"models": "m"}, {"m": []}), ({"tiers": "t"}, {"t": ""}), ({"models": "m"}, {"m": {"a": 1}}),
        ({"models": "m"}, {"m": [1]}), ({"user": "u"}, {"u": ["x"]}), ({"team": "t"}, {"t": "x" * 201}), ({"user": "u"}, {"u": "a\nb"}),
        ({"tags": "t"}, {"t": ["x"] * 201}), ({"class": "a.b"}, {"a": {"b": 1}}), ({}, {"sub": ""}),
    ],
)  # fmt: skip
async def test_claims_that_limit_and_are_missing_or_odd_let_nobody_in(make, issuer, claims, said):
    assert isinstance(await told(make(claims=claims), issuer.token(**said)), Unauthenticated)


@pytest.mark.parametrize(("said", "local"), [({}, True), ({"p": True}, True), ({"p": "no"}, True), ({"p": False}, False)])
async def test_local_only_holds_unless_the_claim_denies_it(make, issuer, said, local):
    assert (await told(make(claims={"local_only": "p"}), issuer.token(**said))).local_only is local


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"exp": 1}, "expired"), ({"exp": time.time() - 70}, "expired"), ({"nbf": time.time() + 86_400}, "not good yet"),
        ({"iat": time.time() + 86_400}, "not good yet"), ({"aud": "other"}, "audience"), ({"aud": ["a", "b"]}, "audience"),
        ({"aud": ...}, "missing"), ({"exp": ...}, "missing"), ({"sub": ...}, "missing"), ({"sub": 5}, "not good"),
        ({"exp": "soon"}, "not good"),
        ({"exp": [1]}, "not good"), ({"exp": 1e400}, "not good"),
    ],
)  # fmt: skip
async def test_a_token_must_be_for_us_and_now(make, issuer, said, why):
    refused = await told(make(), issuer.token(**said))
    assert isinstance(refused, Unauthenticated)
    assert why in refused.message


async def test_clocks_may_differ_by_the_leeway(make, issuer):
    for said in ({"exp": time.time() - 30}, {"nbf": time.time() + 30}):
        assert isinstance(await told(make(), issuer.token(**said)), Principal)
        assert isinstance(await told(make(leeway=0), issuer.token(**said)), Unauthenticated)


async def test_what_is_required_of_claims(make, issuer):
    tokens = make(require={"groups": "llm", "a.b": "c"})
    assert isinstance(await told(tokens, issuer.token(groups=["x", "llm"], a={"b": "c"})), Principal)
    for said in ({}, {"groups": "llm"}, {"groups": ["llm"], "a": {"b": "d"}}, {"groups": {"llm": 1}, "a": {"b": "c"}}):
        assert isinstance(await told(tokens, issuer.token(**said)), Unauthenticated)


# forgeries
async def test_a_token_without_a_signature_is_refused(make, issuer):
    claims = part({"iss": issuer.url, "aud": "lynkr", "sub": "ada", "exp": time.time() + 600})
    for algorithm in ("none", "None", "NONE", "", None, ["RS256"], "RS1"):
        for signature in ("", "x", "AAAA"):
            assert isinstance(
                await told(make(), f"{part({'alg': algorithm, 'kid': 'RS256'})}.{claims}.{signature}"), Unauthenticated
            )


async def test_a_public_key_is_no_shared_secret(make, issuer):
    for name, form in (("RS256", PublicFormat.SubjectPublicKeyInfo), ("ES256", PublicFormat.SubjectPublicKeyInfo)):
        for encoding in (Encoding.PEM, Encoding.DER):
            public = issuer.private(name).public_key().public_bytes(encoding, form)
            claims = part({"iss": issuer.url, "aud": "lynkr", "sub": "ada", "exp": time.time() + 600})
            signed = f"{part({'alg': 'HS256', 'kid': name})}.{claims}"
            mark = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).rstrip(b"=").decode()
            assert isinstance(await told(make(), f"{signed}.{mark}"), Unauthenticated)


async def test_signatures_of_others_are_refused(make, issuer):
    tokens = make()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert isinstance(await told(tokens, issuer.token(key=stranger)), Unauthenticated)
    good = issuer.token()
    head, claims, signature = good.split(".")
    forged = part({"iss": issuer.url, "aud": "lynkr", "sub": "root", "exp": time.time() + 600})
    for token in (f"{head}.{forged}.{signature}", f"{head}.{claims}.{signature[:-8]}AAAAAAAA", f"{head}.{claims}."):
        assert isinstance(await told(tokens, token), Unauthenticated)


async def test_the_header_chooses_no_key_and_no_address(make, issuer):
    stranger = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key()))
    for headers in (
        {"jwk": jwk},
        {"jku": f"{issuer.url}/evil"},
        {"x5u": f"{issuer.url}/evil"},
        {"kid": "../../etc/passwd"},
        {"crit": ["x"]},
    ):
        token = issuer.token("ES256", key=stranger, headers=headers)
        assert isinstance(await told(make(), token), Unauthenticated)
    assert set(issuer.asked) <= {KEYS, DISCOVERY}


async def test_a_key_serves_its_own_algorithm_only(make, issuer):
    assert isinstance(await told(make(), issuer.token("ES256", id="RS256")), Unauthenticated)
    for key in issuer.keys:
        key["alg"] = "PS256" if key["kty"] == "RSA" else key.get("alg")
    assert isinstance(await told(make(), issuer.token("RS256")), Unauthenticated)
    assert isinstance(await told(make(algorithms=["ES256"]), issuer.token("RS256")), Unauthenticated)


async def test_keys_that_are_weak_secret_or_for_other_uses_are_left_out(make, issuer):
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    issuer.keys = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key())), "kid": "weak"},
        {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "kid": "shared"},
        {**issuer.keys[0], "use": "enc", "kid": "enc"},
        {"kty": "RSA"},
        {**issuer.keys[0], "alg": ["RS256"]},
        {**issuer.keys[0], "crv": {}, "kid": [1], "use": []},
        {},
        issuer.keys[1],
    ]
    tokens = make()
    shared = jwt.encode(
        {"iss": issuer.url, "aud": "lynkr", "sub": "a", "exp": time.time() + 60}, SECRET, "HS256", {"kid": "shared"}
    )
    for token in (shared, issuer.token(id="enc")):
        assert isinstance(await told(tokens, token), Unauthenticated)
    assert isinstance(await told(tokens, issuer.token("ES256")), Principal)
    assert len(tokens._keys._keys) == 1


async def test_a_shared_secret_takes_its_own_tokens_only(make, issuer):
    tokens = make(secret=SECRET)
    assert isinstance(await told(tokens, issuer.token("HS256", key=SECRET)), Principal)
    assert isinstance(await told(tokens, issuer.token("HS256", key=SECRET + "x")), Unauthenticated)
    assert isinstance(await told(tokens, issuer.token("RS256")), Unauthenticated)
    assert issuer.asked == {}


@pytest.mark.parametrize(
    "table",
    [
        {"secret": "short"}, {"secret": SECRET, "algorithms": ["HS256", "RS256"]}, {"algorithms": ["RS256", "HS256"]},
        {"secret": SECRET, "jwks_url": "https://x.example"}, {"issuer": "http://x.example"}, {"issuer": "x"},
        {"jwks_url": "http://10.0.0.1/keys"},
    ],
)  # fmt: skip
async def test_settings_that_are_unsafe_are_refused(make, table):
    with pytest.raises(PluginError):
        make(**table)


async def test_none_is_no_algorithm_that_could_be_allowed(make):
    for table in ({"algorithms": ["none"]}, {"audience": []}, {"audience": "lynkr"}):
        with pytest.raises(ConfigError):
            make(**table)


# what is not ours
async def test_others_tokens_and_keys_are_left_to_others(make, issuer):
    tokens = make()
    other = jwt.encode({"iss": "https://other.example"}, SECRET, "HS256")
    for shown in ("", "sk-1", "lk_abc", "a.b.c", other):
        assert await told(tokens, shown) is None


async def test_junk_is_refused(make, issuer):
    tokens = make()
    deep = part({"iss": issuer.url}) + "A" * 20_000
    for shown in ("eyJ.a.b", "eyJhbGciOiJub25lIn0.e30.", f"eyJ{'x' * 50}.y.z", f"eyJ.{deep}.x"):
        answer = await told(tokens, shown)
        assert answer is None or isinstance(answer, Unauthenticated)


# the issuer's keys
async def test_the_keys_are_fetched_once(make, issuer):
    tokens = make()
    found = await asyncio.gather(*[told(tokens, issuer.token(jti=str(n))) for n in range(50)])
    assert all(isinstance(who, Principal) for who in found)
    assert issuer.asked == {DISCOVERY: 1, KEYS: 1}


async def test_a_new_key_is_fetched_and_made_up_ones_at_most_once_a_minute(make, issuer, clock):
    tokens = make()
    await told(tokens, issuer.token())
    issuer.keys.append({**issuer.keys[0], "kid": "new"})
    assert isinstance(await told(tokens, issuer.token(id="new")), Unauthenticated)
    clock.now += 61
    assert isinstance(await told(tokens, issuer.token(id="new")), Principal)
    for number in range(200):
        assert isinstance(await told(tokens, issuer.token("EdDSA", id=f"made-up-{number}")), Unauthenticated)
    assert issuer.asked[KEYS] == 2


async def test_a_token_without_an_id_has_the_only_key_that_fits(make, issuer):
    claims = {"iss": issuer.url, "aud": "lynkr", "sub": "ada", "exp": time.time() + 60}
    token = jwt.encode(claims, issuer.private("ES256"), "ES256")
    assert isinstance(await told(make(), token), Principal)
    issuer.keys.append({**next(key for key in issuer.keys if key["kid"] == "ES256"), "kid": "second"})
    assert isinstance(await told(make(), token), Unauthenticated)


async def test_an_issuer_that_is_down_is_503_and_known_keys_go_on(make, issuer, clock):
    issuer.status = 500
    tokens = make(keep=60, grace=600)
    assert isinstance(await told(tokens, issuer.token()), Unavailable)
    before = dict(issuer.asked)
    for _ in range(50):
        assert isinstance(await told(tokens, issuer.token()), Unavailable)
    assert issuer.asked == before
    issuer.status = 200
    clock.now += 11
    assert isinstance(await told(tokens, issuer.token(jti="1")), Principal)
    issuer.status = 500
    clock.now += 600
    assert isinstance(await told(tokens, issuer.token(jti="2")), Principal)
    clock.now += 61
    assert isinstance(await told(tokens, issuer.token(jti="3")), Unavailable)


async def test_old_keys_are_fetched_again_beside_the_requests(make, issuer, clock):
    tokens = make(keep=60)
    await told(tokens, issuer.token(jti="1"))
    clock.now += 61
    assert isinstance(tokens.authenticate(showing(issuer.token(jti="2"))), Principal)
    async with asyncio.timeout(20):
        while issuer.asked[KEYS] < 2:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example", "jwks_uri": "{}/keys"},
        {"issuer": "{}"},
        [],
        "x",
        None,
        {"issuer": "{}", "jwks_uri": "file:///etc/passwd"},
    ],
)
async def test_an_odd_discovery_document_gives_no_keys(make, issuer, document):
    issuer.answers[DISCOVERY] = json.loads(json.dumps(document).replace("{}", issuer.url))
    assert isinstance(await told(make(), issuer.token()), Unavailable)


@pytest.mark.parametrize(
    "keys", [{}, {"keys": []}, {"keys": [1]}, [], {"keys": [{"kty": "RSA", "n": "AQ", "e": "AQ"}]}, {"keys": "x" * 300_000}]
)
async def test_an_odd_key_set_gives_no_keys(make, issuer, keys):
    issuer.answers[KEYS] = keys
    assert isinstance(await told(make(), issuer.token()), Unavailable)


async def test_where_the_keys_are_may_be_said(make, issuer):
    assert isinstance(await told(make(jwks_url=f"{issuer.url}/keys"), issuer.token()), Principal)
    assert issuer.asked == {KEYS: 1}


# what is remembered
async def test_a_verified_token_is_verified_anew_in_time_and_never_after_its_end(make, issuer, clock):
    tokens = make(leeway=0)
    token = issuer.token(exp=time.time() + 100)
    await told(tokens, token)
    assert isinstance(tokens.authenticate(showing(token)), Principal)
    _, until = next(iter(tokens._known.values()))
    assert until - clock.now <= 100
    long = issuer.token(exp=time.time() + 10_000)
    await told(tokens, long)
    assert max(until for _, until in tokens._known.values()) - clock.now <= 300


async def test_the_memory_is_bounded(make, issuer):
    tokens = make(cache=3)
    for number in range(9):
        await told(tokens, issuer.token("EdDSA", jti=str(number)))
    assert len(tokens._known) == 3


async def test_no_token_is_logged(make, issuer, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = make()
    shown = [issuer.token(), issuer.token(aud="other"), issuer.token() + "x"]
    answers = [str(await told(tokens, token)) for token in shown]
    for token in shown:
        assert token not in caplog.text + "".join(answers) + str(tokens.status())
