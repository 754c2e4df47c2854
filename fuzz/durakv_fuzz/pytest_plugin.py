"""The pytest plugin: a disk that can be crashed, and campaigns against a state machine or a service of one's own.

    @pytest.mark.crash(states=2000, seed=7)
    def test_no_crash_harms_the_ledger(crash_campaign):
        crash_campaign(make=Ledger, draw=draw, read=read)

    def test_no_crash_loses_an_order(crash_service):
        crash_service(Service(drive, check))

pytest loads this module in every session of an environment in which durakv is installed, so nothing but pytest is
imported before a fixture is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from durakv.clock import ManualClock
    from durakv.options import Options
    from durakv_fuzz.disk import SimulatedDisk
    from durakv_fuzz.embedder import Failure, Outcome, Subject
    from durakv_fuzz.embedder.subject import Draw, M
    from durakv_fuzz.service import Outcome as ServiceOutcome
    from durakv_fuzz.service import Service

STATES = 500
SEED = 0
_MARKER = "crash(states=..., seed=...): how many crash states a campaign of this test explores, and which"


class Campaign(Protocol):
    """What the fixture ``crash_campaign`` is."""

    def __call__(
        self,
        *,
        make: Callable[[], M],
        draw: Draw,
        read: Callable[[M], object],
        options: Options | None = None,
        seed: int | None = None,
        states: int | None = None,
    ) -> Outcome:
        """Explore, and fail the test with the story of the first promise that was not kept.

        See ``durakv_fuzz.embedder.Subject``.  The command line has the last word on ``seed`` and ``states``, then
        come these arguments, then the marker ``crash``.
        """
        ...


class ServiceCampaign(Protocol):
    """What the fixture ``crash_service`` is."""

    def __call__(self, service: Service, *, seed: int | None = None, states: int | None = None) -> ServiceOutcome:
        """Explore, and fail the test with the story of the first promise that was not kept.

        See ``durakv_fuzz.service``.  ``seed`` and ``states`` are settled as for ``crash_campaign``.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for deeper runs, elsewhere and at night."""
    group = parser.getgroup("durakv", "crash tests of state machines and services")
    group.addoption("--crash-states", type=int, metavar="N", help="explore N crash states in each crash campaign")
    group.addoption("--crash-seed", type=int, metavar="N", help="which crash states: the same seed, the same ones")
    group.addoption("--crash-replay", metavar="FILE", help="repeat the crash in FILE instead of crash_campaign")
    group.addoption("--durakv-artifacts", metavar="DIR", help="where files about failed campaigns go (tmp_path)")


def pytest_configure(config: pytest.Config) -> None:
    """For --strict-markers."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def crash_clock() -> ManualClock:
    """The clock of ``crash_disk``; it moves only when told to."""
    from durakv.clock import ManualClock

    return ManualClock()


@pytest.fixture
def crash_disk(crash_clock: ManualClock) -> SimulatedDisk:
    """A disk in memory: a ``Filesystem`` whose ``trace`` tells what any crash would leave."""
    from durakv_fuzz.disk import SimulatedDisk

    return SimulatedDisk(clock=crash_clock)


@pytest.fixture
def crash_campaign(request: pytest.FixtureRequest) -> Campaign:
    """A function that crash-tests a state machine; see :class:`Campaign`."""

    def campaign(
        *,
        make: Callable[[], M],
        draw: Draw,
        read: Callable[[M], object],
        options: Options | None = None,
        seed: int | None = None,
        states: int | None = None,
    ) -> Outcome:
        from durakv_fuzz.embedder import Subject, explore

        subject = Subject(make, draw, read, options)
        file = request.config.getoption("--crash-replay")
        if file is not None:
            return _replay(subject, Path(file))
        seed = _setting(request, "seed", seed, SEED)
        states = _setting(request, "states", states, STATES)
        outcome = explore(subject, seed=seed, states=states)
        if outcome.failure is not None:
            _fail(request, outcome, outcome.failure)
        return outcome

    return campaign


@pytest.fixture
def crash_service(request: pytest.FixtureRequest) -> ServiceCampaign:
    """A function that crash-tests a service; see :class:`ServiceCampaign`."""

    def campaign(service: Service, *, seed: int | None = None, states: int | None = None) -> ServiceOutcome:
        from durakv_fuzz.service import Violation, explore

        seed = _setting(request, "seed", seed, SEED)
        states = _setting(request, "states", states, STATES)
        try:
            return explore(service, seed=seed, states=states)
        except Violation as violation:
            request.node.add_report_section("call", "durakv crash", str(violation))
            reason, where, *_ = violation.story
            pytest.fail(f"{reason}\n{where}", pytrace=False)

    return campaign


def _setting(request: pytest.FixtureRequest, name: str, given: int | None, default: int) -> int:
    """The command line's, the call's, the marker's or the plugin's value, in this order."""
    marker = request.node.get_closest_marker("crash")
    marked = marker.kwargs.get(name) if marker is not None else None
    for value in (request.config.getoption(f"--crash-{name}"), given, marked):
        if value is not None:
            if not isinstance(value, int) or (name == "states" and value < 1):
                raise pytest.UsageError(f"crash: {name}={value!r} is no number of that kind")
            return value
    return default


def _replay(subject: Subject[M], path: Path) -> Outcome:
    """Repeat what an earlier campaign found."""
    from durakv_fuzz.embedder import BadArtefact, Outcome, load_case, replay, tell

    try:
        case = load_case(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, BadArtefact) as error:
        raise pytest.UsageError(f"--crash-replay {path}: {error}") from error
    violation = replay(subject, case).violation
    if violation is not None:
        pytest.fail("\n".join(tell(subject, case)), pytrace=False)
    return Outcome(seed=SEED, checks=1)


def _fail(request: pytest.FixtureRequest, outcome: Outcome, failure: Failure) -> None:
    from durakv_fuzz.embedder import dump_case

    node: pytest.Item = request.node
    given = request.config.getoption("--durakv-artifacts")
    folder = Path(given) if given else request.getfixturevalue("tmp_path")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "-", node.nodeid).strip("-")[-150:] + ".crash.json")
    path.write_text(dump_case(failure), encoding="utf-8")
    node.user_properties.append(("durakv_crash", str(path)))  # into a JUnit report
    node.add_report_section("call", "durakv crash", "\n".join(failure.story))
    where = f"in run {failure.run} ({failure.stage}) after {outcome.states} crash states"
    pytest.fail(
        f"{failure.violation.verdict}: {failure.violation.reason}\nfound {where}, --crash-seed={outcome.seed}\n"
        f"the case is in {path}",
        pytrace=False,
    )
