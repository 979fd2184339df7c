"""Exact figures out of each form of input."""

import json
import unittest
from pathlib import Path
from typing import ClassVar

from performance import baseline, criterion, harness, inputs
from performance.figures import Figure, InputError, Metric
from tests.folder import FIXTURES, FolderTest

SOURCE = Path("bench.txt")


class CriterionsTexts(unittest.TestCase):
    def test_the_ordinary_one(self) -> None:
        text = (FIXTURES / "ordinary.txt").read_text(encoding="utf-8")
        benches = criterion.read_text(text, SOURCE).benches
        self.assertEqual(len(benches), 5)
        self.assertEqual(benches["header"], {Metric.P50: Figure(324.65e-3)})
        bench = benches["storage_get/blocking, one caller/64 KiB"]
        self.assertAlmostEqual(bench[Metric.P50].value, 74_082)
        self.assertAlmostEqual(bench[Metric.THROUGHPUT].value, 843.66 * 1024 * 1024)
        self.assertAlmostEqual(benches["storage_get/64 callers"][Metric.THROUGHPUT].value, 493_760)

    def test_a_comparison_within_it_is_left_alone(self) -> None:
        text = (FIXTURES / "ordinary_compared.txt").read_text(encoding="utf-8")
        benches = criterion.read_text(text, SOURCE).benches
        self.assertEqual(len(benches), 5)
        self.assertAlmostEqual(benches["storage_get/blocking, one caller/64 B"][Metric.P50].value, 76.988)

    def test_every_unit_of_time(self) -> None:
        for unit, scale in (("ps", 1e-3), ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)):
            run = criterion.read_text(f"get  time:   [1.0 {unit} 2.5 {unit} 3.0 {unit}]", SOURCE)
            self.assertAlmostEqual(run.benches["get"][Metric.P50].value, 2.5 * scale)

    def test_what_a_terminal_overwrites(self) -> None:
        run = criterion.read_text("Benchmarking get: Analyzing\rget  time:   [1.0 ns 2.0 ns 3.0 ns]", SOURCE)
        self.assertEqual(list(run.benches), ["get"])

    def test_the_short_one(self) -> None:
        benches = criterion.read_text((FIXTURES / "bencher.txt").read_text(encoding="utf-8"), SOURCE).benches
        self.assertEqual(len(benches), 5)
        self.assertEqual(benches["storage_get/64 callers"], {Metric.P50: Figure(139_439, cut_off=1)})

    def test_the_standard_librarys(self) -> None:
        line = "test get ... bench:   1,234.56 ns/iter (+/- 7.89) = 53 MB/s"
        bench = criterion.read_text(line, SOURCE).benches["get"]
        self.assertEqual(bench, {Metric.P50: Figure(1234.56, cut_off=0.01)})


class DocumentsTest(FolderTest):
    def document(self, name: str, document: object) -> Path:
        return self.file(name, json.dumps(document))


class CriterionsFolder(DocumentsTest):
    def bench(self, throughput: object = None) -> None:
        # Means of 1 to 20 ns.
        sample = {"iters": [10.0] * 20, "times": [10.0 * value for value in range(20, 0, -1)]}
        self.document("get/64/new/sample.json", sample)
        self.document("get/64/new/benchmark.json", {"full_id": "get/64", "throughput": throughput})
        self.document("get/64/new/estimates.json", {})

    def test_percentiles_of_its_samples(self) -> None:
        self.bench()
        expected = {Metric.P50: Figure(10.5), Metric.P95: Figure(19.0), Metric.P99: Figure(20.0)}
        self.assertEqual(criterion.read_folder(self.folder).benches, {"get/64": expected})

    def test_its_median_is_criterions(self) -> None:
        estimated = FIXTURES / "criterion_folder" / "header" / "new" / "estimates.json"
        median = json.loads(estimated.read_text(encoding="utf-8"))["median"]["point_estimate"]
        found = criterion.read_folder(FIXTURES / "criterion_folder").benches["header"]
        self.assertAlmostEqual(found[Metric.P50].value, median)

    def test_throughput(self) -> None:
        for unit in ("Bytes", "Elements"):
            self.bench({unit: 64})
            bench = criterion.read_folder(self.folder).benches["get/64"]
            self.assertAlmostEqual(bench[Metric.THROUGHPUT].value, 64e9 / 10.5)

    def test_samples_that_are_none(self) -> None:
        self.bench()
        samples: list[dict[str, list[float]]] = [{"iters": [1.0], "times": []}, {"iters": [], "times": []}, {}]
        for sample in samples:
            self.document("get/64/new/sample.json", sample)
            with self.assertRaisesRegex(InputError, "sample.json: expected `iters` and `times` of the same length"):
                criterion.read_folder(self.folder)
        self.document("get/64/new/sample.json", {"iters": [0.0], "times": [1.0]})
        with self.assertRaisesRegex(InputError, "sample.json: sample 1: expected `iters` above 0, found 0.0"):
            criterion.read_folder(self.folder)

    def test_a_bench_without_a_name(self) -> None:
        self.bench()
        self.document("get/64/new/benchmark.json", {})
        with self.assertRaisesRegex(InputError, "benchmark.json: expected a text as `full_id`, found None"):
            criterion.read_folder(self.folder)


class Harness(unittest.TestCase):
    def test_sizes(self) -> None:
        for count, text in ((0, "0 B"), (64, "64 B"), (1500, "1500 B"), (65_536, "64 KiB"), (1 << 20, "1 MiB")):
            self.assertEqual(harness.size(count), text)


class Baselines(DocumentsTest):
    DOCUMENT: ClassVar[dict[str, object]] = {
        "schema": baseline.SCHEMA,
        "bench": "b",
        "recorded": {"date": "2026-11-24", "revision": "r", "compiler": "c", "target": "t", "machine": "m"},
        "benches": {"get": {"p50_ns": 1.5, "rss_kib": 7}},
    }

    def test_its_figures(self) -> None:
        (run,) = inputs.read(self.document("b.json", self.DOCUMENT)).values()
        self.assertEqual(run.benches, {"get": {Metric.P50: Figure(1.5), Metric.RSS: Figure(7)}})

    def test_an_unknown_figure(self) -> None:
        path = self.document("b.json", self.DOCUMENT | {"benches": {"get": {"p50_ns": 1, "p95_us": 1}}})
        with self.assertRaisesRegex(InputError, "b.json: bench `get`: expected only .*, found `p95_us`"):
            inputs.read(path)

    def test_a_bench_in_two_files_of_a_folder(self) -> None:
        self.document("a.json", self.DOCUMENT)
        self.document("b.json", self.DOCUMENT)
        with self.assertRaisesRegex(InputError, "b.json: bench `get` is in another file of the folder too"):
            inputs.read(self.folder)

    def test_a_folder_of_two_kinds(self) -> None:
        self.document("a.json", self.DOCUMENT)
        self.document("b.json", [])
        with self.assertRaisesRegex(InputError, "b.json: expected a baseline like the files beside it"):
            inputs.read(self.folder)


if __name__ == "__main__":
    unittest.main()
