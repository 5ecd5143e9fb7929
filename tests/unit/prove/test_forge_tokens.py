"""Forged tokens are what they claim to be: a library that verifies them with the wrong key says yes, else no."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from garrison.prove.look.forge_tokens import FOREIGN_ISSUER, FORGED, Key, decoded, forged, public_pem
from garrison.prove.trials import Try

KEY, ISSUERS = Key.fresh(), Key.fresh()
GOOD = ISSUERS.sign(
    {"alg": "RS256", "kid": "theirs"}, {"iss": "https://login.example", "sub": "a", "aud": "b", "exp": 2_000_000_000}
)


def verify(token: str, key: Key) -> None:
    signed, _, signature = token.rpartition(".")
    public = rsa.RSAPublicNumbers(65537, key.modulus).public_key()
    public.verify(unpadded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_signature_of_ours_is_one() -> None:
    verify(GOOD, ISSUERS)
    with pytest.raises(InvalidSignature):
        verify(GOOD, KEY)


@pytest.mark.parametrize(
    "flaw", [Try.FOREIGN_ISSUER, Try.FOREIGN_KEY, Try.UNKNOWN_KEY, Try.EMBEDDED_KEY, Try.KEY_BY_URL]
)
def test_what_is_signed_with_our_key_is_good_but_for_the_key(flaw: Try) -> None:
    token = forged(flaw, GOOD, KEY, ISSUERS.jwk)
    assert token
    verify(token, KEY)
    header, payload = decoded(token)
    assert payload == decoded(GOOD)[1] | ({"iss": FOREIGN_ISSUER} if flaw == Try.FOREIGN_ISSUER else {})
    assert (header["kid"] == "theirs") == (flaw == Try.FOREIGN_KEY)
    assert ("jwk" in header) == (flaw == Try.EMBEDDED_KEY)
    assert ("jku" in header) == (flaw == Try.KEY_BY_URL)


def test_the_public_key_as_a_secret_is_the_pem_that_everybody_has() -> None:
    public = rsa.RSAPublicNumbers(65537, ISSUERS.modulus).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert public_pem(ISSUERS.jwk) == pem
    token = forged(Try.PUBLIC_KEY_AS_SECRET, GOOD, KEY, ISSUERS.jwk)
    assert token
    signed, _, signature = token.rpartition(".")
    assert decoded(token)[0]["alg"] == "HS256"
    assert unpadded(signature) == hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    assert forged(Try.PUBLIC_KEY_AS_SECRET, GOOD, KEY, None) is None


def test_none_has_no_signature_and_the_rest_of_the_good_token() -> None:
    token = forged(Try.NO_ALGORITHM, GOOD, KEY, None)
    assert token
    assert token.endswith(".")
    assert decoded(token) == ({"alg": "none", "kid": "theirs"}, decoded(GOOD)[1])


def test_what_takes_the_issuers_key_is_not_made() -> None:
    made = {flaw for flaw in Try if forged(flaw, GOOD, KEY, ISSUERS.jwk)}
    assert made == set(FORGED)
