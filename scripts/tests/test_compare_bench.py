"""The command as a whole: what it reads, says and ends with."""

import datetime
import io
import json
import unittest
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compare_bench
from performance import waivers
from tests.folder import FIXTURES, FolderTest

TODAY = "2026-11-24"


@dataclass
class Ended:
    code: int
    said: str
    complained: str


class Command(FolderTest):
    """A folder for inputs, and the command over it, without the repository's waivers."""

    def setUp(self) -> None:
        super().setUp()
        self.waivers = self.file("waivers.toml", "")

    def compare(self, new: Path, base: Path, *options: str) -> Ended:
        said, complained = io.StringIO(), io.StringIO()
        arguments = [str(new), str(base), "--waivers", str(self.waivers), "--today", TODAY, *options]
        with redirect_stdout(said), redirect_stderr(complained):
            try:
                code = compare_bench.main(arguments)
            except SystemExit as end:
                code = int(end.code or 0)
        return Ended(code, said.getvalue(), complained.getvalue())

    def bencher(self, name: str, **times: int) -> Path:
        lines = [f"test {bench} ... bench: {time:>11,} ns/iter (+/- 5)" for bench, time in times.items()]
        return self.file(name, "\n".join(lines) + "\n")

    def rounds(self, fixture: str) -> tuple[Path, Path]:
        """Two folders of recorded rounds: new, base."""
        recorded = json.loads((FIXTURES / fixture).read_text(encoding="utf-8"))
        for side, rounds in recorded.items():
            for number, rows in enumerate(rounds, start=1):
                self.file(f"{side}/round-{number:02}.json", json.dumps(rows))
        return self.folder / "new", self.folder / "base"


class ReadsCriterion(Command):
    def test_an_unchanged_file_of_each_form_passes(self) -> None:
        for name in ("bencher.txt", "ordinary.txt", "ordinary_compared.txt", "criterion_folder"):
            with self.subTest(name):
                ended = self.compare(FIXTURES / name, FIXTURES / name)
                self.assertEqual(ended.code, 0, ended.complained)
                self.assertIn("passed: nothing moved", ended.said)

    def test_the_forms_of_one_run_agree(self) -> None:
        ended = self.compare(FIXTURES / "bencher.txt", FIXTURES / "criterion_folder", "--only", "storage_get/64 c*")
        self.assertEqual(ended.code, 0, ended.said)
        self.assertIn("passed: nothing moved", ended.said)

    def test_it_says_that_medians_stand_in_for_percentiles(self) -> None:
        ended = self.compare(FIXTURES / "bencher.txt", FIXTURES / "bencher.txt")
        self.assertRegex(ended.said, r"no percentiles in .*bencher.txt: medians are compared")
        ended = self.compare(FIXTURES / "criterion_folder", FIXTURES / "criterion_folder", "--all")
        self.assertNotIn("no percentiles", ended.said)
        self.assertIn("p95", ended.said)

    def test_it_says_what_the_ordinary_text_shows_in_place_of_a_median(self) -> None:
        ended = self.compare(FIXTURES / "ordinary.txt", FIXTURES / "ordinary.txt")
        self.assertIn("Criterion's estimate (slope or mean)", ended.said)

    def test_percentiles_that_only_the_baseline_has_are_counted(self) -> None:
        ended = self.compare(FIXTURES / "bencher.txt", FIXTURES / "criterion_folder", "--only", "header")
        self.assertIn("p95 of 1 benches, p99 of 1 benches", ended.said)


class Judges(Command):
    def test_a_median_beyond_the_limit_regresses(self) -> None:
        base = self.bencher("base.txt", get=10_000, put=10_000)
        ended = self.compare(self.bencher("new.txt", get=11_100, put=10_900), base, "--p95-delta", "0.10")
        self.assertEqual(ended.code, 1)
        self.assertRegex(ended.said, r"get +p50 +10.0 µs +11.1 µs +\+11.0 % +\+10.0 % +REGRESSED")
        self.assertRegex(ended.said, r"put .* worse")
        self.assertIn("FAILED: 1 regressed, 1 worse", ended.said)

    def test_the_limit_is_an_option(self) -> None:
        base, new = self.bencher("base.txt", get=10_000), self.bencher("new.txt", get=11_100)
        self.assertEqual(self.compare(new, base, "--p95-delta", "0.12").code, 0)
        self.assertEqual(self.compare(new, base, "--p95-delta", "0.05").code, 1)

    def test_what_is_exactly_at_the_limit_passes(self) -> None:
        base = self.harness("base.json", p50_us=10.0, p95_us=10.0)
        self.assertEqual(self.compare(self.harness("new.json", p50_us=11.0, p95_us=11.0), base).code, 0)
        self.assertEqual(self.compare(self.harness("new.json", p50_us=10.0, p95_us=11.01), base).code, 1)

    def test_a_cut_off_fraction_is_no_regression(self) -> None:
        base = self.bencher("base.txt", header=0, codec=4)
        self.assertEqual(self.compare(self.bencher("new.txt", header=1, codec=5), base).code, 0)
        self.assertEqual(self.compare(self.bencher("new.txt", header=1, codec=6), base).code, 1)
        self.assertEqual(self.compare(self.bencher("new.txt", header=2, codec=4), base).code, 1)
        self.assertIn("nothing moved", self.compare(self.bencher("new.txt", header=0, codec=3), base).said)

    def test_less_throughput_and_more_memory_regress(self) -> None:
        base = self.harness("base.json")
        for member, fine, worse in (("ops_s", 9100.0, 8900.0), ("rss_peak_kib", 5700, 5800), ("p95_us", 131.0, 133.0)):
            with self.subTest(member):
                self.assertEqual(self.compare(self.harness("new.json", **{member: fine}), base).code, 0)
                self.assertEqual(self.compare(self.harness("new.json", **{member: worse}), base).code, 1)

    def test_more_throughput_and_less_memory_are_better(self) -> None:
        ended = self.compare(self.harness("new.json", ops_s=20_000.0, rss_peak_kib=1000), self.harness("base.json"))
        self.assertEqual(ended.code, 0)
        self.assertIn("passed: 2 better", ended.said)

    def test_p99_is_shown_and_decides_nothing(self) -> None:
        ended = self.compare(self.harness("new.json", p99_us=1000.0), self.harness("base.json"))
        self.assertEqual(ended.code, 0)
        self.assertRegex(ended.said, r"p99 .* worse")

    def test_the_worst_comes_first_and_the_best_last(self) -> None:
        base = self.bencher("base.txt", a=1000, b=1000, c=1000, d=1000)
        ended = self.compare(self.bencher("new.txt", a=500, b=1200, c=1050, d=2000), base)
        order = [line[0] for line in ended.said.splitlines() if line[:2] in ("a ", "b ", "c ", "d ")]
        self.assertEqual(order, ["d", "b", "c", "a"])

    def test_a_vanished_bench_fails_and_a_new_one_does_not(self) -> None:
        base = self.bencher("base.txt", get=1000, put=1000)
        ended = self.compare(self.bencher("new.txt", get=1000, head=1000), base)
        self.assertEqual(ended.code, 1)
        self.assertIn("VANISHED bench: put", ended.said)
        self.assertIn("new bench: head", ended.said)
        self.assertEqual(self.compare(self.bencher("new.txt", get=1000, put=1000, head=1000), base).code, 0)

    def test_only_what_is_asked_for_is_compared(self) -> None:
        base = self.bencher("base.txt", get=1000, put=1000)
        new = self.bencher("new.txt", get=1000, put=5000)
        self.assertEqual(self.compare(new, base, "--only", "g*").code, 0)
        self.assertEqual(self.compare(new, base, "--only", "g*", "--only", "p*").code, 1)

    def harness(self, name: str, **changed: float) -> Path:
        row: dict[str, Any] = {"work": "get", "client": "sdk", "clients": 1, "payload": 65536}
        row |= {
            "p50_us": 100.0,
            "p95_us": 120.0,
            "p99_us": 150.0,
            "ops_s": 10_000.0,
            "rss_kib": 1,
            "rss_peak_kib": 5000,
            "ratio_p50": 1.1,
        }
        return self.file(name, json.dumps([row | changed]))


class ComparesRounds(Command):
    """Rounds recorded on two cores with a load of 8 to 10, of one build, and with 0.15 × p50 burnt in each call."""

    def test_an_unchanged_build_passes(self) -> None:
        ended = self.compare(*self.rounds("rounds_unchanged.json"))
        self.assertEqual(ended.code, 0, ended.said)
        self.assertIn("14 rounds: median ratios, each bound with 99 % confidence", ended.said)

    def test_each_work_of_a_slower_build_fails(self) -> None:
        new, base = self.rounds("rounds_slower.json")
        works = {row["bench"] for row in json.loads(self.compare(new, base, "--json", "-").said)["rows"]}
        self.assertEqual(len(works), 6)
        for work in works:
            with self.subTest(work):
                self.assertEqual(self.compare(new, base, "--only", work).code, 1)

    def test_what_the_rounds_do_not_show_is_called_unclear(self) -> None:
        new, base = self.paired([1.5, 1.5, 1.5, 1.5, 1.5, 0.9, 0.9, 1.5])
        ended = self.compare(new, base)
        self.assertEqual(ended.code, 0, ended.said)
        self.assertRegex(ended.said, r"p95 .* unclear")

    def test_few_rounds_are_decided_by_their_median(self) -> None:
        new, base = self.paired([1.0, 1.3, 1.2])
        ended = self.compare(new, base)
        self.assertEqual(ended.code, 1)
        self.assertIn("3 rounds, of which the median ratio decides: an interval needs 7", ended.said)

    def test_a_machine_that_drifts_changes_nothing(self) -> None:
        """Each round is compared within itself, though the last takes ten times as long as the first."""
        new, base = self.paired([1.0] * 10, scales=[1.0 + at for at in range(10)])
        self.assertEqual(self.compare(new, base).code, 0)
        new, base = self.paired([1.15] * 10, scales=[1.0 + at for at in range(10)])
        self.assertEqual(self.compare(new, base).code, 1)

    def test_rounds_without_a_partner_are_an_error(self) -> None:
        new, base = self.paired([1.0] * 8)
        (base / "round-03.json").unlink()
        ended = self.compare(new, base)
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"base: expected the same rounds on both sides, found no `round-03.json`")

    def test_rounds_are_not_compared_with_a_single_run(self) -> None:
        new, base = self.paired([1.0] * 8)
        self.assertEqual(self.compare(new, base / "round-01.json").code, 2)

    def test_a_bench_that_is_not_in_every_round_is_an_error(self) -> None:
        new, base = self.paired([1.0] * 8)
        self.file("new/round-05.json", self.row("other", 100.0))
        ended = self.compare(new, base)
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"round-05.json: bench `.*` is not in every round")

    def paired(self, ratios: list[float], scales: list[float] | None = None) -> tuple[Path, Path]:
        for number, ratio in enumerate(ratios, start=1):
            time = 100.0 * (scales[number - 1] if scales else 1.0)
            self.file(f"new/round-{number:02}.json", self.row("get", time * ratio))
            self.file(f"base/round-{number:02}.json", self.row("get", time))
        return self.folder / "new", self.folder / "base"

    def row(self, work: str, time: float) -> str:
        row = {"work": work, "client": "sdk", "clients": 1, "payload": 64, "ops_s": 1.0}
        return json.dumps([row | {"p50_us": 100.0, "p95_us": time, "p99_us": time}])


class RefusesBadInput(Command):
    def test_it_says_where_and_what_was_expected(self) -> None:
        fine = self.bencher("fine.txt", get=1000)
        entry = '{"work": "get", "client": "sdk", "clients": 1, "payload": 64, "p50_us": 1, "p95_us": 1, "p99_us": 1'
        cases = {
            "empty.txt": ("", r"empty.txt: expected lines like"),
            "no_number.txt": (
                "x\ntest get ... bench: soon",
                r"no_number.txt:2: expected `1,234 ns/iter .*found `soon`",
            ),
            "unit.txt": ("test get ... bench: 5 weeks/iter (+/- 1)", r"unit.txt:1: expected .*found `5 weeks/iter"),
            "time.txt": ("get   time:   [1.0 ns 1.1 ns]", r"time.txt:1: expected three values with units"),
            "thrpt.txt": ("get   thrpt:   [1 B/s 2 B/s 3 B/s]", r"thrpt.txt:1: expected the name of a bench"),
            "zero.txt": ("get   time:   [0.0 ns 0.0 ns 0.0 ns]", r"zero.txt:1: expected a number above 0"),
            "weeks.txt": ("get   time:   [1 w 2 w 3 w]", r"weeks.txt:1: expected ps, ns, µs, ms or s .*found `w`"),
            "twice.txt": ("get   time:   [1 s 2 s 3 s]\n" * 2, r"twice.txt:2: bench `get` is there twice"),
            "broken.json": ("[\n{", r"broken.json:2: expected JSON"),
            "nothing.json": ("[]", r"nothing.json: expected at least one entry"),
            "number.json": ("[1]", r"number.json: entry 1: expected an object, found 1"),
            "member.json": (f"[{entry}}}]", r"member.json: entry 1: expected .*; found no ops_s"),
            "text.json": (f'[{entry}, "ops_s": "1"}}]', r"text.json: entry 1: expected a number as `ops_s`, found '1'"),
            "nan.json": (f'[{entry}, "ops_s": NaN}}]', r"nan.json: entry 1: expected `ops_s` above 0, found nan"),
            "minus.json": (f'[{entry}, "ops_s": -1}}]', r"minus.json: entry 1: expected `ops_s` above 0, found -1"),
            "same.json": (f'[{entry}, "ops_s": 1}}, {entry}, "ops_s": 1}}]', r"same.json: entry 2: bench .* twice"),
            "schema.json": (
                '{"schema": "other/1"}',
                r"schema.json: expected `schema` to be `ron-performance-baseline/1`",
            ),
            "header.json": (
                '{"schema": "ron-performance-baseline/1", "bench": "b", "recorded": {"date": "today"}}',
                r"header.json: expected a text as `recorded.revision`",
            ),
        }
        for name, (text, complaint) in cases.items():
            with self.subTest(name):
                for new, base in ((self.file(name, text), fine), (fine, self.folder / name)):
                    ended = self.compare(new, base)
                    self.assertEqual(ended.code, 2, ended.said)
                    self.assertRegex(ended.complained, complaint)

    def test_a_file_that_is_not_there(self) -> None:
        ended = self.compare(self.folder / "missing.txt", self.bencher("fine.txt", get=1000))
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"missing.txt: cannot be read: No such file")

    def test_a_file_that_is_not_text(self) -> None:
        (self.folder / "binary.txt").write_bytes(b"test \xff")
        ended = self.compare(self.folder / "binary.txt", self.bencher("fine.txt", get=1000))
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"binary.txt: expected UTF-8, byte 5 is not")

    def test_a_folder_without_measurements(self) -> None:
        (self.folder / "empty").mkdir()
        ended = self.compare(self.folder / "empty", self.bencher("fine.txt", get=1000))
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"empty: expected Criterion's folder or `.json` files, found neither")

    def test_inputs_that_have_nothing_in_common(self) -> None:
        ended = self.compare(self.bencher("new.txt", get=1000), self.bencher("base.txt", put=1000))
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"new.txt: has no bench in common with .*base.txt")

    def test_options_out_of_range(self) -> None:
        fine = self.bencher("fine.txt", get=1000)
        for option, value in (("--p95-delta", "10 %"), ("--rss-delta", "-1"), ("--confidence", "1"), ("--only", "x")):
            with self.subTest(option):
                self.assertEqual(self.compare(fine, fine, option, value).code, 2)


class Reports(Command):
    def test_as_json(self) -> None:
        base = self.bencher("base.txt", get=10_000, put=10_000)
        new = self.bencher("new.txt", get=12_000, head=1)
        path = self.folder / "report.json"
        self.assertEqual(self.compare(new, base, "--json", str(path)).code, 1)
        found = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual(found["verdict"], "regressed")
        rows = {(row["bench"], row["metric"]): row for row in found["rows"]}
        self.assertEqual(rows["get", "p50"]["verdict"], "regressed")
        self.assertEqual(rows["get", "p50"]["limit"], 0.10)
        self.assertAlmostEqual(rows["get", "p50"]["change"], 0.2, places=3)
        self.assertEqual(rows["put", None]["verdict"], "vanished")
        self.assertEqual(rows["head", None]["verdict"], "new")

    def test_to_standard_output_alone(self) -> None:
        fine = self.bencher("fine.txt", get=1000)
        self.assertEqual(json.loads(self.compare(fine, fine, "--json", "-").said)["verdict"], "fine")

    def test_a_place_that_cannot_be_written(self) -> None:
        fine = self.bencher("fine.txt", get=1000)
        ended = self.compare(fine, fine, "--json", str(self.folder / "none" / "report.json"))
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"report.json: cannot be written")


class HonoursWaivers(Command):
    def test_a_waived_regression_passes_until_its_last_day(self) -> None:
        for until, code in (("2026-11-24", 0), ("2027-01-01", 0), ("2026-11-23", 2)):
            with self.subTest(until):
                self.waive(until=until)
                self.assertEqual(self.compare_slower().code, code)

    def test_an_ended_waiver_is_an_error_though_nothing_regressed(self) -> None:
        self.waive(until="2026-11-23")
        fine = self.bencher("fine.txt", get=1000)
        ended = self.compare(fine, fine)
        self.assertEqual(ended.code, 2)
        self.assertRegex(ended.complained, r"waivers.toml: waiver 1: `get\*`, p50 ended on 2026-11-23")

    def test_another_bench_or_figure_is_not_waived(self) -> None:
        self.waive(bench='"put"')
        self.assertEqual(self.compare_slower().code, 1)
        self.waive(metric='"throughput"')
        self.assertEqual(self.compare_slower().code, 1)

    def test_no_more_than_it_accepts(self) -> None:
        self.waive(up_to="0.25")
        self.assertEqual(self.compare_slower().code, 0)
        self.waive(up_to="0.15")
        self.assertEqual(self.compare_slower().code, 1)

    def test_a_bench_that_may_vanish(self) -> None:
        self.waive(bench='"put"', metric='"vanished"')
        base = self.bencher("base.txt", get=1000, put=1000)
        ended = self.compare(self.bencher("new.txt", get=1000), base)
        self.assertEqual(ended.code, 0)
        self.assertIn("vanished bench, waived: put", ended.said)

    def test_it_names_those_that_match_nothing_or_are_not_needed(self) -> None:
        fine = self.bencher("fine.txt", get=1000)
        self.waive()
        self.assertRegex(self.compare(fine, fine).said, r"the waiver `get\*`, p50, .* was not needed")
        self.waive(bench='"gone"')
        self.assertRegex(self.compare(fine, fine).said, r"the waiver `gone`, p50, .* matches no bench")

    def test_an_incomplete_one_is_an_error(self) -> None:
        cases: dict[str, dict[str, str | None]] = {
            "bench": {"bench": None},
            "metric": {"metric": None},
            "issue": {"issue": None},
            "analysis": {"analysis": None},
            "until": {"until": None},
            "expected a date without quotes": {"until": '"2027-01-01"'},
            "found datetime.datetime(2027, 1, 1": {"until": "2027-01-01T00:00:00"},
            "expected one of p50, p95": {"metric": '"p99"'},
            "expected a text as `bench`": {"bench": '""'},
            "expected a link as `issue`": {"issue": '"12"'},
            "neither a link nor a file": {"analysis": '"docs/NOT_THERE.md"'},
            "expected a part like 0.20": {"up_to": "20"},
            "expected only": {"reason": '"because"'},
        }
        for complaint, changed in cases.items():
            with self.subTest(complaint):
                self.waive(**changed)
                ended = self.compare_slower()
                self.assertEqual(ended.code, 2)
                self.assertIn("waivers.toml: waiver 1: ", ended.complained)
                self.assertIn(complaint, ended.complained)

    def test_an_analysis_can_be_a_place_in_a_file(self) -> None:
        self.waive(analysis='"CONTRIBUTING.md#where-things-are"')
        self.assertEqual(self.compare_slower().code, 0)

    def test_a_file_that_is_no_toml_or_not_there(self) -> None:
        self.file("waivers.toml", "[[waiver]")
        self.assertEqual(self.compare_slower().code, 2)
        self.file("waivers.toml", 'waivers = "none"')
        self.assertEqual(self.compare_slower().code, 2)
        self.waivers = self.folder / "missing.toml"
        self.assertEqual(self.compare_slower().code, 2)

    def compare_slower(self) -> Ended:
        return self.compare(self.bencher("new.txt", get=1200), self.bencher("base.txt", get=1000))

    def waive(self, **changed: str | None) -> None:
        members: dict[str, str | None] = {
            "bench": '"get*"',
            "metric": '"p50"',
            "issue": '"https://example.org/issues/12"',
            "analysis": '"https://example.org/issues/12#analysis"',
            "until": "2026-12-31",
        }
        members |= changed
        lines = [f"{name} = {value}" for name, value in members.items() if value is not None]
        self.file("waivers.toml", "[[waiver]]\n" + "\n".join(lines) + "\n")


class KeepsTheRepositorysFiles(unittest.TestCase):
    def test_its_waivers_are_complete(self) -> None:
        """Not that they still count today: a test must not begin to fail one morning."""
        waivers.read(compare_bench.WAIVERS, compare_bench.ROOT, datetime.date(2026, 1, 1))


if __name__ == "__main__":
    unittest.main()
