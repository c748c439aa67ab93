"""Who may deposit where: credential, ownership, verb; what is not yours is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from escrow.deposits import records
from escrow.deposits.errors import DepositUnknown, ProductUnknown
from escrow.deposits.pushing import PushTarget
from escrow.deposits.registration import repository_of
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import NotFound
from escrow.ground.identifiers import DepositId, OrganisationId, ProductId
from escrow.ground.settings import Environment
from escrow.parties import records as parties
from escrow.parties import tokens
from escrow.parties.permissions import Principal, Verb, check_allowed
from escrow.parties.relations import AgreementParties, ProductParties, relation_to_product

# The register's answer: who stands in the agreements that cover a product.
AgreementsOf = Callable[[Session, ProductId], Sequence[AgreementParties]]


@dataclass(frozen=True)
class DepositGate:
    """Admits principals to the two ways in: git pushes and resumable uploads.

    Attributes:
        environment: of this installation; tokens of another are refused.
        agreements_of: for tokens that are bound to agreements.
    """

    database: Database
    environment: Environment
    clock: Clock
    agreements_of: AgreementsOf

    def admit(self, token: str, vendor: str, product: str, repository: str) -> PushTarget:
        """Return where a push goes.

        Raises:
            NotAuthenticated: the token is not valid.
            ProductUnknown: there is no such repository for this token.
            NotPermitted: the token may not deposit.
        """
        with self.database.reading() as session:
            principal = self._authenticate(session, token)
            organisation = parties.organisation_by_slug(session, vendor)
            if organisation is None:
                raise ProductUnknown
            owner = OrganisationId(organisation.id)
            found = repository_of(session, owner, product, repository)
            self._check(session, principal, found.product.id, owner, ProductUnknown)
        self._note_use(principal)
        return PushTarget(vendor, found, principal.token_id, principal.actor)

    def admit_to_deposit(self, token: str, deposit_id: DepositId) -> Principal:
        """Return who asks, once it is clear that the deposit is his to fill.

        Raises:
            NotAuthenticated: the token is not valid.
            DepositUnknown: there is no such deposit for this token.
            NotPermitted: the token may not deposit.
        """
        with self.database.reading() as session:
            principal = self._authenticate(session, token)
            deposit = records.deposit_by_id(session, deposit_id)
            if deposit is None:
                raise DepositUnknown
            product = records.product_by_id(session, ProductId(deposit.product_id))
            if product is None:
                raise DepositUnknown
            owner = OrganisationId(product.organisation_id)
            self._check(session, principal, ProductId(product.id), owner, DepositUnknown)
        self._note_use(principal)
        return principal

    def _authenticate(self, session: Session, token: str) -> Principal:
        return tokens.authenticate(session, self.environment, token, self.clock.now())

    def _check(
        self,
        session: Session,
        principal: Principal,
        product_id: ProductId,
        owner: OrganisationId,
        absent: Callable[[], NotFound],
    ) -> None:
        agreements = tuple(self.agreements_of(session, product_id))
        relation = relation_to_product(principal, ProductParties(product_id, owner, agreements))
        check_allowed(principal, Verb.DEPOSIT, relation, absent)

    def _note_use(self, principal: Principal) -> None:
        if principal.is_use_due:
            with self.database.writing() as session:
                tokens.note_use(session, principal.token_id, self.clock.now())
