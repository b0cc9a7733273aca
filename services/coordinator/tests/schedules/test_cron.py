from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from crossfleet.coordinator.core.schedule import Missed
from crossfleet.coordinator.schedules.cron import CronError, due, next_time, times

BERLIN = "Europe/Berlin"
DAY = 86_400.0


def moment(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def coming(cron, zone, after, count):
    """Local times with their offset, as a person there reads them."""
    found = islice(times(cron, zone, moment(after, zone)), count)
    return [datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d %H:%M%z") for at in found]


def test_times_are_those_of_the_zones_clocks_in_summer_and_winter():
    assert coming("0 3 * * *", BERLIN, "2026-03-27T12:00", 3) == ["28 03:00+0100", "29 03:00+0200", "30 03:00+0200"]


def test_a_time_that_clocks_leave_out_happens_when_they_go_on():
    found = coming("30 2 * * *", BERLIN, "2026-03-28T12:00", 2)
    assert found == ["29 03:00+0200", "30 02:30+0200"]


def test_a_time_that_comes_twice_happens_once():
    found = coming("30 2 * * *", BERLIN, "2026-10-24T12:00", 2)
    assert found == ["25 02:30+0200", "26 02:30+0100"]


def test_every_hour_is_every_hour_also_when_clocks_change():
    assert coming("0 * * * *", BERLIN, "2026-10-25T00:30", 4) == [
        "25 01:00+0200",
        "25 02:00+0200",
        "25 02:00+0100",
        "25 03:00+0100",
    ]
    assert coming("0 * * * *", BERLIN, "2026-03-29T00:30", 3) == ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]


@pytest.mark.parametrize(
    ("cron", "zone", "field", "text"),
    [
        ("0 3 * *", "UTC", "cron", "has not five fields"),
        ("0 0 3 * * *", "UTC", "cron", "has not five fields"),
        ("0 0 30 2 *", "UTC", "cron", "bad day-of-month: 1 to 31 as the months have it"),
        ("61 * * * *", "UTC", "cron", "'61 \\* \\* \\* \\*': bad minute: 0 to 59"),
        ("0 3 * mai *", "UTC", "cron", "bad month: 1 to 12, JAN to DEC"),
        ("0 3 * * *", "Europe/Belrin", "timezone", "did you mean 'Europe/Berlin'"),
        ("0 3 * * *", "../etc/passwd", "timezone", "no time zone"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field(cron, zone, field, text):
    with pytest.raises(CronError, match=text) as refused:
        next_time(cron, zone, 0.0)
    assert refused.value.field == field


FIRST = moment("2026-06-01T03:00")


def test_a_time_that_is_kept_within_a_minute_counts_whatever_becomes_of_missed_ones():
    for missed in Missed:
        assert due("0 3 * * *", "UTC", FIRST, FIRST + 30.0, missed) == ((FIRST,), FIRST + DAY, "")


def test_missed_times_make_no_run_or_one_or_one_each():
    late = FIRST + 2 * DAY + 3600.0
    assert due("0 3 * * *", "UTC", FIRST, late, Missed.SKIP) == ((), FIRST + 3 * DAY, "3 times were missed")
    assert due("0 3 * * *", "UTC", FIRST, late, Missed.ONCE) == (
        (FIRST + 2 * DAY,),
        FIRST + 3 * DAY,
        "2 times were missed",
    )
    each = (FIRST, FIRST + DAY, FIRST + 2 * DAY)
    assert due("0 3 * * *", "UTC", FIRST, late, Missed.ALL) == (each, FIRST + 3 * DAY, "")


def test_who_was_away_for_long_makes_up_for_the_last_hundred_times():
    kept, following, _ = due("* * * * *", "UTC", FIRST, FIRST + DAY, Missed.ALL)
    assert len(kept) == 100
    assert kept[-1] == FIRST + DAY
    assert following == FIRST + DAY + 60.0
