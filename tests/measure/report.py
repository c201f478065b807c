"""How figures are shown: a table for people, an object a row for programs."""

import json
import statistics
import sys
from dataclasses import dataclass

from measure.machine import spread


@dataclass
class Row:
    """A measured piece of work: the figures of all rounds; ratios are taken within each round."""

    work: str
    unit: str
    ours: list
    other: list         # None: there is no other side
    reach: str

    @property
    def ratios(self):
        return None if self.other is None else [a / b for a, b in zip(self.ours, self.other, strict=True)]

    def as_json(self):
        middle = [None if v is None else statistics.median(v) for v in (self.ours, self.other, self.ratios)]
        return json.dumps(dict(zip(("work", "ours", "other", "ratio", "reach"),
                                   (self.work, *middle, self.reach), strict=True)), ensure_ascii=False)

    def as_text(self):
        lines = [self.work, f"  ours   {spread(self.ours)} {self.unit}"]
        if self.other is not None:
            lines += [f"  other  {spread(self.other)} {self.unit}",
                      f"  ratio  {spread(self.ratios)}"]
        return "\n".join([*lines, f"  reach  {self.reach}"])


def show(rows, notes, as_json):
    if as_json:
        for row in rows:
            print(row.as_json())
        for note in notes:
            print(note, file=sys.stderr)
        return
    print("min / median / max of the rounds")
    for row in rows:
        print(row.as_text())
    for note in notes:
        print(note)
