"""Everybody's channels, and the accounts. Pure; no secret is ever on a page."""

from collections.abc import Mapping, Sequence
from html import escape

from ioc.oncall.accounts import AccountRow
from ioc.oncall.channels_try import Tried
from ioc.oncall.notices_lines import local_time
from ioc.oncall.pages import Frame, hidden_csrf, page, pick, user_text
from ioc.oncall.pages_code_words import ROLE_WORDS, STATUS_WORDS
from ioc.oncall.pages_words import WORDS
from ioc.oncall.web_reading import ReceiptRow
from ioc.oncall_plan import Address, Person

__all__ = ["accounts_page", "channels_page"]


def channels_page(
    frame: Frame, people: Sequence[Person], receipts: Sequence[ReceiptRow], *, tried: Sequence[Tried] | None = None
) -> str:
    """`tried`: how a test went just now, None where there was none."""
    word = frame.word
    last: dict[tuple[str, str], ReceiptRow] = {}
    for receipt in receipts:  # the newest first
        last.setdefault((receipt.recipient, receipt.channel), receipt)
    rows = "".join(_person_rows(frame, person, last) for person in people)
    head = "".join(f"<th>{word(name)}</th>" for name in ("person", "channel", "address", "last_receipt"))
    body = (
        f"<h1>{word('channels')}</h1>{_test(frame, people, tried)}"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
    return page(frame, WORDS[frame.language]["channels"], body)


def accounts_page(frame: Frame, accounts: Sequence[AccountRow], names: Mapping[str, str]) -> str:
    """`names`: of units, by code."""
    word = frame.word
    head = "".join(f"<th>{word(name)}</th>" for name in ("login", "person", "role", "units", "sessions", "state"))
    rows = "".join(
        f"<tr><td><code>{escape(one.login)}</code></td><td>{user_text(one.name)}</td>"
        f"<td>{frame.pick(ROLE_WORDS[one.role])}</td><td>{_units(frame, one.units, names)}</td>"
        f"<td>{one.sessions}</td><td>{word('disabled' if one.is_disabled else 'active')}</td></tr>"
        for one in accounts
    )
    body = (
        f"<h1>{word('accounts')}</h1>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"<p>{word('account_hint')}</p><pre>ioc oncall user add | passwd | disable | list --help</pre>"
    )
    return page(frame, WORDS[frame.language]["accounts"], body)


def _test(frame: Frame, people: Sequence[Person], tried: Sequence[Tried] | None) -> str:
    word, visitor = frame.word, frame.visitor
    if not visitor.login:
        return ""
    if visitor.actor_id not in {person.person_id for person in people}:
        return f'<p class="panel soft">{word("test_nobody")}</p>'
    found = "".join(
        f'<p class="banner {"good" if one.is_taken else "bad"}" role="status">{"✓" if one.is_taken else "✗"} '
        f"{user_text(pick((one.vi, one.en), frame.language))}</p>"
        for one in tried or ()
    )
    return (
        f'<form class="panel" method="post" action="/channels/test">{hidden_csrf(frame)}<p>{word("test_hint")}</p>'
        f'<button class="main">{word("test_mine")}</button></form>{found}'
    )


def _person_rows(frame: Frame, person: Person, last: Mapping[tuple[str, str], ReceiptRow]) -> str:
    who = f"<strong>{user_text(person.name)}</strong>"
    title = pick((person.title_vi, person.title_en or person.title_vi), frame.language)
    if title:
        who += f'<br><span class="soft">{user_text(title)}</span>'
    rows = []
    for number, address in enumerate(person.addresses):
        receipt = last.get((person.person_id, address.channel))
        rows.append(
            f"<tr><td>{who if number == 0 else ''}</td><td>{escape(address.channel)}</td>"
            f"<td>{_address(frame, address)}</td><td>{_receipt(frame, receipt)}</td></tr>"
        )
    return "".join(rows)


def _address(frame: Frame, address: Address) -> str:
    if address.secret:
        return frame.word("secret", name=address.secret)
    return user_text(address.address)


def _receipt(frame: Frame, receipt: ReceiptRow | None) -> str:
    if receipt is None:
        return f'<span class="soft">{frame.word("never")}</span>'
    status = frame.pick(STATUS_WORDS.get(receipt.status, (receipt.status, receipt.status)))
    at = local_time(receipt.sent_at or receipt.created_at)[:14]
    why = f'<br><span class="soft">{user_text(receipt.last_error[:160])}</span>' if receipt.last_error else ""
    return f'<span class="{"bad" if receipt.status == "failed" else ""}">{status}</span> {at}{why}'


def _units(frame: Frame, units: Sequence[str], names: Mapping[str, str]) -> str:
    if "*" in units:
        return frame.word("all_units")
    return ", ".join(user_text(names.get(code) or code) for code in units)
