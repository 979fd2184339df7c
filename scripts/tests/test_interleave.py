"""Two builds in turns, with programs that only write down how they were called."""

import io
import json
import unittest
from contextlib import redirect_stderr

import interleave
from tests.folder import FolderTest

PROGRAM = """#!/bin/sh
if [ "$1" = --list ]; then printf 'get\\nput\\n'; exit; fi
echo "$(basename "$0") $1 ${RON_TIME_GATE_SPIN:-}" >> "$(dirname "$0")/calls"
"""


class Interleave(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        for side in ("base", "new"):
            self.program(side, """printf '[{"work": "%s"}]' "$1" """)

    def program(self, side: str, last_line: str) -> None:
        self.file(side, PROGRAM + last_line + "\n").chmod(0o755)

    def run_rounds(self, *options: str) -> tuple[int, str]:
        complained = io.StringIO()
        with redirect_stderr(complained):
            code = interleave.main([str(self.folder / name) for name in ("base", "new", "out")] + list(options))
        return code, complained.getvalue()

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def test_the_builds_alternate_within_each_work_and_change_places_with_each_round(self) -> None:
        self.assertEqual(self.run_rounds("--rounds", "2"), (0, ""))
        first = ["base get ", "new get ", "base put ", "new put "]
        second = ["new get ", "base get ", "new put ", "base put "]
        self.assertEqual(self.calls(), first + second)

    def test_each_round_of_each_side_has_a_file_with_all_works(self) -> None:
        self.run_rounds("--rounds", "3")
        for side in ("base", "new"):
            files = sorted((self.folder / "out" / side).iterdir())
            self.assertEqual([file.name for file in files], [f"round-0{number}.json" for number in (1, 2, 3)])
            for file in files:
                self.assertEqual(json.loads(file.read_text(encoding="utf-8")), [{"work": "get"}, {"work": "put"}])

    def test_more_rounds_join_those_that_are_there(self) -> None:
        self.run_rounds("--rounds", "2")
        self.run_rounds("--rounds", "2", "--first", "3")
        files = sorted(file.name for file in (self.folder / "out" / "new").iterdir())
        self.assertEqual(files, [f"round-0{number}.json" for number in (1, 2, 3, 4)])

    def test_only_the_new_build_is_slowed(self) -> None:
        self.run_rounds("--rounds", "1", "--spin", "0.15")
        self.assertEqual(self.calls(), ["base get ", "new get 0.15", "base put ", "new put 0.15"])

    def test_a_program_that_fails_is_named(self) -> None:
        self.program("base", "echo refused >&2; exit 7")
        code, complained = self.run_rounds("--rounds", "1")
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"base get ended with 7: refused")

    def test_a_program_that_says_something_else_is_named(self) -> None:
        for command, said in (("echo hello", "hello"), ("echo '{}'", "{}")):
            with self.subTest(said):
                self.program("new", command)
                code, complained = self.run_rounds("--rounds", "1")
                self.assertEqual(code, 2)
                self.assertIn(f"new get: expected a JSON array, found '{said}", complained)

    def test_a_program_that_is_not_there(self) -> None:
        (self.folder / "new").unlink()
        code, complained = self.run_rounds()
        self.assertEqual(code, 2)
        self.assertRegex(complained, r"No such file or directory: '.*/new'")


if __name__ == "__main__":
    unittest.main()
