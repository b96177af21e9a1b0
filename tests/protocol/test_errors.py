"""The error tree says whose fault it was."""

import pytest

from nixfleet_protocol import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    tree = (errors.__doc__ or "").partition("\n\n")[2]
    documented = [line.lstrip("│├└─ ").split()[0] for line in tree.splitlines()]
    existing = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert sorted(documented) == sorted(existing)
    assert all(issubclass(getattr(errors, name), errors.NixFleetError) for name in existing)


def test_errors_carry_what_their_catcher_needs() -> None:
    assert errors.RemoteProtocolError("x").close_code == 1008
    assert errors.RemoteProtocolError("x", 1007).close_code == 1007
    refused = errors.Refused("host web1 is offline", status=409, code="host_offline")
    assert (str(refused), refused.status, refused.code) == ("host web1 is offline", 409, "host_offline")
    with pytest.raises(errors.ClientError):
        raise refused
