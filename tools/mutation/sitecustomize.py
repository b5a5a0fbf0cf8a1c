"""Lets a process that a test starts say which functions it reaches, while mutmut asks for that.

Python imports this file at its start, since mutate.py puts its folder on PYTHONPATH. mutmut itself
counts only in the process of the tests; reached.py reads what is written here.
"""

import os

if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    import mutmut.stats

    def write_down(name: str, caller: str | None = None) -> None:
        """Appends the name of a function, once a process."""
        if name not in written:
            written.add(name)
            with open(os.environ["MUTATION_REACHED"], "a", encoding="utf-8") as file:
                file.write(f"{name}\n")

    written: set[str] = set()
    mutmut.stats.record_trampoline_hit = write_down
