"""What `instructions.py` reads, and what it says of counts that have moved."""

import unittest
from pathlib import Path
from typing import Any

import instructions


def bench(metrics: dict[str, Any]) -> dict[str, Any]:
    summary = {"summary": {"Callgrind": {"Ir": {"metrics": metrics}}}}
    return {"function_name": "encode", "id": "b64", "profiles": [{"summaries": {"total": summary}}]}


class Reading(unittest.TestCase):
    def test_a_first_run_and_a_later_one(self) -> None:
        first, later = {"Left": {"Int": 7}}, {"Both": [{"Int": 8}, {"Int": 7}]}
        self.assertEqual(instructions.read(bench(first)), ("encode.b64", 7))
        self.assertEqual(instructions.read(bench(later)), ("encode.b64", 8))

    def test_what_is_recorded_is_read_again(self) -> None:
        counts = {"encode.b64": 164, "decode.b64": 361}
        text = instructions.render(counts, Path("rustc-1.95.0-x86_64-unknown-linux-gnu.txt"))
        self.assertTrue(text.startswith("# "))
        self.assertIn("rustc 1.95.0-x86_64-unknown-linux-gnu", text)
        self.assertEqual(instructions.parse(text), counts)


class Comparing(unittest.TestCase):
    def test_five_percent_more_is_let_pass_and_beyond_fails(self) -> None:
        self.assertEqual(instructions.compare({"a": 100}, {"a": 105}), ([], []))
        wrong, told = instructions.compare({"a": 100}, {"a": 106})
        self.assertEqual((wrong, told), (["a takes 106, +6.0 % against 100"], []))

    def test_a_fall_is_told(self) -> None:
        told = "a takes 90, -10.0 % against 100; RON_UPDATE=1 records that"
        self.assertEqual(instructions.compare({"a": 100}, {"a": 90}), ([], [told]))

    def test_counts_that_come_or_go_fail(self) -> None:
        wrong, _ = instructions.compare({"a": 1, "b": 1}, {"a": 1, "c": 1})
        self.assertEqual(wrong, ["c takes 1, and was not recorded", "b was recorded, and is not counted any more"])

    def test_a_cost_that_is_not_linear_fails(self) -> None:
        counts = {name: 100 for _, name, _ in instructions.LINEAR}
        fine = counts | {name: int(100 * limit) for name, _, limit in instructions.LINEAR}
        self.assertEqual(instructions.not_linear(fine), [])
        steep = counts | {name: int(101 * limit) for name, _, limit in instructions.LINEAR}
        self.assertEqual(len(instructions.not_linear(steep)), len(instructions.LINEAR))
