"""Several days of a pack in one recording are visits of it, as they were when each day ended."""

from bms_studio.analysis.runs import PackRun, Run, Runs
from bms_studio.diagnosis.contract import Verdict
from bms_studio.timeline import Timeline
from tests.judged_parts import DAY_NS, health_of

HOUR_NS = 3_600_000_000_000


def test_each_day_that_has_ended_is_a_visit_and_none_of_the_future() -> None:
    runs = Runs(Timeline())
    run = Run()
    told: PackRun = run.pack(1)
    times = [100 * DAY_NS, 100 * DAY_NS + HOUR_NS, 107 * DAY_NS, 107 * DAY_NS + HOUR_NS]
    told.health = [health_of(time, grown=1.0 + k / 10) for k, time in enumerate(times)]
    told.verdict = Verdict("OK", ("verdict.ok", {}), ("action.none", {}))
    runs.begin(run)
    assert runs.status(times[1]).visits == ()
    (visit,) = runs.status(times[3]).visits
    assert visit.time == times[1]
    assert visit.verdict
    (again,) = runs.status(times[2]).visits
    assert again is visit
