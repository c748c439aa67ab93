"""Any order of steps by anybody: what a request must have passed through to be released."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agreements.requests import FINAL, FIRST, State, Step, next_state

_APPROVING = frozenset({Step.CONSENT, Step.FALL_SILENT})


class RequestMachine(RuleBasedStateMachine):
    """Keeps a record of its own of what was done, and holds the table against it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = FIRST
        self.approved = self.opened = self.intended = self.served = self.disputed = False

    @rule(step=st.sampled_from(Step))
    def take(self, step: Step) -> None:
        """Try a step, possible or not."""
        after = next_state(self.state, step)
        if after is None:
            return
        # An end is final for everybody; a late word is written down and changes nothing.
        assert self.state not in FINAL or after == self.state
        self._remember(step)
        self.state = after

    @rule(data=st.data())
    def take_a_possible_one(self, data: st.DataObject) -> None:
        """Most steps are refused in most states: without this one few runs get far."""
        possible = [step for step in Step if next_state(self.state, step)]
        if possible:
            self.take(data.draw(st.sampled_from(possible)))

    def _remember(self, step: Step) -> None:
        if step is Step.FALL_SILENT:
            assert self.served, "silence approved what was never served"
            assert not self.disputed, "silence passed over an objection"
        if step is Step.OBJECT:
            assert not self.intended, "an objection stopped what was already intended"
            self.approved, self.opened, self.disputed = False, False, True
        if step in _APPROVING:
            # A round from before this approval does not count (releases/decision.py, question 4).
            self.approved, self.opened, self.disputed = True, False, False
        self.served |= step in (Step.SERVE, Step.SERVE_CURABLE)
        self.opened |= step is Step.OPEN_CONFIRMATION
        self.intended |= step is Step.INTEND

    @invariant()
    def agents_are_asked_only_after_an_approval(self) -> None:
        """No round is open while nobody has approved, or an objection stands."""
        if self.state in (State.CONFIRMING, State.EXECUTING, State.RELEASED):
            assert self.approved
            assert self.opened

    @invariant()
    def nothing_is_released_without_its_intent(self) -> None:
        """The intent stands before the effect that cannot be undone."""
        if self.state in (State.EXECUTING, State.RELEASED):
            assert self.intended


RequestMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAnyOrderOfSteps = RequestMachine.TestCase
