"""The judgement itself: intervals, and many random rounds with a known truth."""

import math
import random
import statistics
import unittest
from pathlib import Path

from performance.comparison import Limits, Row, Verdict, compare, median_bounds, rounds_needed
from performance.figures import Figure, Metric, Run, percentile


class Bounds(unittest.TestCase):
    def test_ranks_of_the_sign_test(self) -> None:
        """Against the table of ranks for the median, one-sided 0.01: n = 10, 20 and 30 give ranks 1, 5 and 9."""
        for count, rank in ((10, 1), (20, 5), (30, 9)):
            with self.subTest(count):
                values = [float(value) for value in range(1, count + 1)]
                self.assertEqual(median_bounds(values, 0.99), (rank, count + 1 - rank))

    def test_there_is_none_for_few_values(self) -> None:
        self.assertEqual(rounds_needed(0.99), 7)
        self.assertIsNone(median_bounds([1.0] * 6, 0.99))
        self.assertEqual(median_bounds([1.0] * 7, 0.99), (1.0, 1.0))
        for confidence in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999):
            needed = rounds_needed(confidence)
            self.assertIsNotNone(median_bounds([1.0] * needed, confidence), confidence)
            if needed > 2:
                self.assertIsNone(median_bounds([1.0] * (needed - 1), confidence), confidence)

    def test_they_hold_the_median_as_often_as_they_say(self) -> None:
        """Also of a skewed distribution with a heavy tail: the median of exp(normal · 2) is 1."""
        generator = random.Random(7)
        missed = 0
        for _ in range(2000):
            bounds = median_bounds([math.exp(generator.gauss(0, 2)) for _ in range(20)], 0.95)
            assert bounds is not None
            missed += bounds[0] > 1
        # 2.1 % are expected of rank 6 of 20.
        self.assertLess(missed, 2000 * 0.05)
        self.assertGreater(missed, 0)


class RandomRounds(unittest.TestCase):
    """Rounds of a machine that drifts, with bursts of other work, as those recorded look."""

    def test_unchanged_builds_pass(self) -> None:
        for seed in range(200):
            rows = self.judge(random.Random(seed), truth=1.0)
            self.assertFalse([row for row in rows if row.verdict is Verdict.REGRESSED], f"seed {seed}")

    def test_a_regression_of_a_fifth_fails(self) -> None:
        """But for the rare case of five bursts or more on one side alone."""
        missed = 0
        for seed in range(200):
            rows = self.judge(random.Random(seed), truth=1.2)
            regressed = {row.metric for row in rows if row.verdict is Verdict.REGRESSED}
            missed += regressed != {Metric.P50, Metric.P95, Metric.THROUGHPUT}
        self.assertLessEqual(missed, 200 * 0.05)

    def test_an_improvement_is_never_a_regression(self) -> None:
        for seed in range(100):
            generator = random.Random(seed)
            rows = self.judge(generator, truth=generator.uniform(0.2, 0.95))
            self.assertFalse([row for row in rows if row.worsening() > 0], f"seed {seed}")

    def test_a_single_run_is_decided_by_its_ratio(self) -> None:
        generator = random.Random(3)
        for _ in range(500):
            base, ratio = generator.uniform(1, 1e9), generator.uniform(0.5, 2)
            (row,) = compare([(run(p50=base * ratio), run(p50=base))], Limits(p95=0.10), 0.99)
            self.assertEqual(row.verdict is Verdict.REGRESSED, ratio > 1.10, (base, ratio))
            self.assertTrue(math.isclose(row.change or 0, ratio - 1, abs_tol=1e-9))

    def judge(self, generator: random.Random, truth: float) -> list[Row]:
        pairs = []
        drift = 1.0
        for _ in range(20):
            drift *= math.exp(generator.gauss(0, 0.1))
            sides = []
            for ratio in (truth, 1.0):
                burst = 3.0 if generator.random() < 0.1 else 1.0
                time = 100_000 * drift * ratio * burst * math.exp(generator.gauss(0, 0.02))
                sides.append(run(p50=time, p95=time * 1.3, throughput=1e9 / time))
            pairs.append((sides[0], sides[1]))
        return compare(pairs, Limits(), 0.99)


class Percentiles(unittest.TestCase):
    def test_nearest_rank(self) -> None:
        self.assertEqual(percentile([7.0], 50), 7.0)
        self.assertEqual(percentile([float(value) for value in range(1, 101)], 95), 95.0)
        self.assertEqual(percentile([1.0, 2.0], 50), 1.0)
        self.assertEqual(percentile([1.0, 2.0, 3.0], 99), 3.0)

    def test_between_the_smallest_and_the_largest_and_in_order(self) -> None:
        generator = random.Random(5)
        for _ in range(200):
            values = sorted(generator.random() for _ in range(generator.randint(1, 60)))
            found = [percentile(values, percent) for percent in (50, 95, 99)]
            self.assertEqual(found, sorted(found))
            self.assertLessEqual(set(found), set(values))
            self.assertLessEqual(found[0], statistics.median_high(values))


def run(**figures: float) -> Run:
    bench = {Metric(name): Figure(value) for name, value in figures.items()}
    return Run(Path("run.json"), {"get": bench})


if __name__ == "__main__":
    unittest.main()
