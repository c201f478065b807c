"""Several administrators who share the work, so that nobody waits longer than they must for a code."""

from rig.administrator import Administrator
from rig.process import wait_until

OPEN_S = 60
ID_DIGITS = 12          # as muster shows them


class Office:
    def __init__(self, stage, people):
        """The first two are bootstrapped on the console; they, and who has come since, enrol the others."""
        first, second, *others = [Administrator(stage, p) for p in people]
        self.stage, self.staff = stage, []
        for administrator in (first, second):
            wait_until(f"{administrator.person.uid} is known",
                       lambda a=administrator: a.bootstrap(expect=None).status == 0, OPEN_S, 0.5)
            administrator.log_in()
            self.staff.append(administrator)
        for administrator in others:
            done = self.agree("admin", "enrol", administrator.person.uid, "administrator")
            administrator.log_in_first(done["shown"]["enrolment_code"])
            self.staff.append(administrator)

    def free(self, *others):
        """Whoever has a code soonest, but for these."""
        return min((a for a in self.staff if a not in others), key=lambda a: a.authenticator.wait_s())

    def act(self, *arguments, by=None, expect=0):
        """One of them, or this one, asks: whoever it was, and the action as it was answered."""
        asker = by or self.free()
        return asker, asker.act(*arguments, expect=expect).json

    def approve(self, digest, *others, expect=0):
        """Somebody else but these approves, by how the digest begins: whoever it was, and the action."""
        approver = self.free(*others)
        return approver, approver.act("approve", digest[:ID_DIGITS], expect=expect).json

    def agree(self, *arguments):
        """One asks, another approves: the executed action."""
        asker, asked = self.act(*arguments, expect=3)
        return self.approve(asked["digest"], asker)[1]

    def look(self, *arguments):
        """What a command that changes nothing answers."""
        return self.staff[0].muster("--json", *arguments).json

    def show(self, person):
        return self.look("person", "show", person.uid)

    def records(self, kind, **wanted):
        """The newest audit records of a kind whose members are as wanted."""
        found = self.look("audit", "list", "--reason", "a test looks", "--kind", kind, "--limit", 200)
        return [r for r in found["records"] if all(r.get(k) == v for k, v in wanted.items())]
