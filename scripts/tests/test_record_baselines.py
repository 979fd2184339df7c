"""What is recorded is what was measured, and can be compared with."""

import io
import json
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import compare_bench
import record_baselines
from tests.folder import FIXTURES, FolderTest

SURROUNDINGS = {"date": "2026-11-24", "revision": "abc", "compiler": "rustc 1.95.0", "target": "t", "machine": "m"}


class Record(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        rounds = json.loads((FIXTURES / "rounds_unchanged.json").read_text(encoding="utf-8"))
        self.overhead = self.file("overhead.json", json.dumps(rounds["base"][0]))

    def record(self, *arguments: str) -> tuple[int, str]:
        complained = io.StringIO()
        surroundings = mock.patch.object(record_baselines, "surroundings", lambda: SURROUNDINGS)
        with redirect_stdout(io.StringIO()), redirect_stderr(complained), surroundings:
            code = record_baselines.main([str(self.folder / "baselines"), *arguments])
        return code, complained.getvalue()

    def compare(self, new: Path, base: Path) -> tuple[int, str]:
        said = io.StringIO()
        with redirect_stdout(said):
            code = compare_bench.main([str(new), str(base), "--all"])
        return code, said.getvalue()

    def test_a_run_does_not_differ_from_its_record(self) -> None:
        folder = FIXTURES / "criterion_folder"
        self.assertEqual(self.record("--criterion", str(folder), "--overhead", str(self.overhead)), (0, ""))
        recorded = self.folder / "baselines" / "ron-app-sdk"
        for source, name in ((folder, "criterion_folder.json"), (self.overhead, "overhead.json")):
            code, said = self.compare(source, recorded / name)
            self.assertEqual(code, 0, said)
            self.assertIn("p95", said)
            self.assertIn("passed: nothing moved", said)

    def test_a_folder_of_records_is_one_baseline(self) -> None:
        self.record("--criterion", str(FIXTURES / "criterion_folder"), "--overhead", str(self.overhead))
        code, said = self.compare(self.overhead, self.folder / "baselines" / "ron-app-sdk")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: 3 vanished", said)

    def test_the_header_says_what_times_depend_on(self) -> None:
        self.record("--overhead", str(self.overhead))
        path = self.folder / "baselines" / "ron-app-sdk" / "overhead.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual(document["recorded"], SURROUNDINGS)
        self.assertEqual(document["bench"], "overhead")
        bench = document["benches"]["get/64 KiB/1 caller/sdk-blocking"]
        self.assertEqual(set(bench), {"p50_ns", "p95_ns", "p99_ns", "throughput_per_s", "rss_kib"})

    def test_bad_input(self) -> None:
        self.overhead.write_text("[]", encoding="utf-8")
        code, complained = self.record("--overhead", str(self.overhead))
        self.assertEqual(code, 2)
        self.assertIn("expected at least one entry", complained)

    def test_the_surroundings_are_found_here(self) -> None:
        """No version of the kernel's build and no path: what is committed says nothing of who measured."""
        self.assertRegex(record_baselines.machine(), r"^\d+ × .+, \w+ \d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
