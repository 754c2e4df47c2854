"""The promise: where system calls have to be stopped, for CI, none of these tests is skipped in silence.

Method: ``DURAKV_REQUIRE_INJECTOR`` turns the reason for skipping them into a failure.
"""

from __future__ import annotations

import os

import pytest

from durakv_fuzz.injector import missing


@pytest.mark.skipif(os.environ.get("DURAKV_REQUIRE_INJECTOR") != "1", reason="DURAKV_REQUIRE_INJECTOR is not 1")
def test_system_calls_can_be_stopped_where_they_have_to_be() -> None:
    assert missing() == ""
