"""The shop as people have it: a browser at the edge, the real login page, an order, its receipt, and the way out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from cluster.live import CLUSTER
from harness import browser, entrance, visit
from harness.storefront import fill

WWW, LOGIN = "www.estate.example", "login.estate.example"
PORT = entrance.PORTS.get(CLUSTER, 0)
SHOP = f"https://{WWW}:{PORT}"
PATIENCE = 30_000  # ms; the pages of a cluster that has just begun


@dataclass(frozen=True)
class Person:
    name: str
    password: str


def made(*groups: str) -> Iterator[Person]:
    name = f"storefront-{secrets.token_hex(4)}"
    yield Person(name, visit.added(CLUSTER, name, *groups))
    visit.users(CLUSTER, "remove", name)


@pytest.fixture(scope="module")
def customer() -> Iterator[Person]:
    yield from made("customers")


@pytest.fixture(scope="module")
def stranger() -> Iterator[Person]:
    """Somebody whom the issuer knows, and who is in no group."""
    yield from made()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started(*visit.browsing([WWW, LOGIN], PORT, visit.authorities(CLUSTER))) as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A browser in which nobody has logged in."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def at_the_login(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Password")).to_be_visible(timeout=PATIENCE)
    assert page.url.startswith(f"https://{LOGIN}:{PORT}/ui/vault/auth")


def log_in(page: Page, person: Person) -> None:
    page.goto(f"{SHOP}/")
    at_the_login(page)
    page.get_by_role("textbox", name="Username").fill(person.name)
    page.get_by_role("textbox", name="Password").fill(person.password)
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_role("navigation", name="Account")).to_contain_text(person.name, timeout=PATIENCE)
    assert page.url == f"{SHOP}/"


def order(page: Page) -> str:
    """Place an order and return its number."""
    fill(page)
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator("#receipt-title")).to_have_text("Thank you", timeout=PATIENCE)
    expect(page.locator("#receipt-total")).to_have_text("€63.03")
    return page.locator("#receipt-id").inner_text()


def test_log_in_order_see_it_and_log_out(page: Page, customer: Person) -> None:
    log_in(page, customer)
    number = order(page)
    page.reload()
    expect(page.locator("#receipt-title")).to_have_text("Your earlier order")
    expect(page.locator("#receipt-id")).to_have_text(number)
    page.get_by_role("link", name="Log out").click()
    at_the_login(page)  # the issuer's own page has ended its session, too
    page.goto(f"{SHOP}/")
    at_the_login(page)


def test_a_session_is_nothing_that_a_script_could_read(page: Page, customer: Person) -> None:
    log_in(page, customer)
    cookies = [cookie for cookie in page.context.cookies(SHOP) if cookie["name"] != "vault:namespace"]
    assert cookies
    assert {(cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) for cookie in cookies} == {(True, True, "Lax")}
    assert page.evaluate("document.cookie") == ""


def test_an_order_is_shown_to_who_placed_it_and_to_nobody_else(
    chromium: Browser, page: Page, customer: Person, stranger: Person
) -> None:
    log_in(page, customer)
    number = order(page)
    other = chromium.new_context()
    theirs = other.new_page()
    log_in(theirs, stranger)
    theirs.goto(f"{SHOP}/#order={number}")
    theirs.reload()
    expect(theirs.get_by_role("alert")).to_contain_text("This order is not one of yours.")
    other.close()


def test_who_is_no_customer_sees_the_goods_and_cannot_order(page: Page, stranger: Person) -> None:
    log_in(page, stranger)
    fill(page)
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("alert")).to_contain_text("Your account may not order here.")


def test_a_wrong_password_is_no_login(page: Page, customer: Person) -> None:
    page.goto(f"{SHOP}/")
    at_the_login(page)
    page.get_by_role("textbox", name="Username").fill(customer.name)
    page.get_by_role("textbox", name="Password").fill("wrong")
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_text("Authentication failed")).to_be_visible(timeout=PATIENCE)
    at_the_login(page)
