"""common/work on a real Redis and a real bus: what the services hand to each other, also lost, doubled, late or forged."""
import pytest

from helpers.work import Work, said


@pytest.fixture
def work(bus):
    return Work(bus)


def test_a_run_goes_to_a_loader_and_its_result_to_the_collector(work):
    work.broker()
    work.intake()
    worker = work.worker("l1")
    run = work.plan()
    work.reaches(run, "measured")
    assert said(worker, "work") == [[run, "0", "0"]]
    assert len(work.results()) == 1 and work.results()[0].startswith(run + ".0.")
    assert worker.stop() == 0
