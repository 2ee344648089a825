// Paying for parking by card in the page, against a stand-in for Stripe with a Stripe.js of its own.

import type { APIRequestContext, Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits, PHONE } from "../support/look";
import { CARDS, StripeDouble } from "../support/stripe";
import { setUpHouse, expect, expectLive, signIn, test as base, type House, type OpenContext } from "../support/test";

const PASSWORD = "seven purple umbrellas 42";

const test = base.extend<{}, { house: House; stripe: StripeDouble }>({
  stripe: [
    async ({}, use) => {
      const stripe = await StripeDouble.start();
      await use(stripe);
      await stripe.stop();
    },
    { scope: "worker" },
  ],
  house: [
    async ({ browser, stripe }, use) => {
      const house = await setUpHouse(browser, stripe.settings);
      await stripe.tell(house.portico.url);
      await use(house);
      await house.portico.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],
});

let count = 0;

interface Lot {
  id: string;
  spot: string;
  /** Of the spot. */
  key: string;
}

/** A lot with a spot at 1.50 EUR for each half hour. */
async function makeLot(request: APIRequestContext, url: string, booking: object = {}): Promise<Lot> {
  const rules = { currency: "EUR", free_minutes: 0, unit_minutes: 30, unit_price_minor: 150, bands: [], daily_cap_minor: null, stay_cap_minor: null };
  const tariff = await makeByApi(request, url, "parking/tariffs", { name: uniqueName("Card tariff"), rules });
  const lot = await makeByApi(request, url, "parking/lots", { name: uniqueName("Card garage"), time_zone: "Europe/Berlin", tariff_id: tariff.id, booking });
  const level = await makeByApi(request, url, `parking/lots/${lot.id}/levels`, { name: "L1" });
  const spot = `C${process.pid}-${++count}`;
  const { key } = await makeByApi(request, url, "spots", { id: spot, level_id: level.id });
  return { id: lot.id, spot, key };
}

async function driver(page: Page, url: string, openContext: OpenContext, options: object = {}): Promise<Page> {
  const username = `payer${process.pid}x${++count}`;
  await makeByApi(page.request, url, "users", { username, email: `${username}@example.org`, password: PASSWORD, role: "user" });
  const own = await (await openContext({ baseURL: url, ...options })).newPage();
  await signIn(own, url, username, PASSWORD);
  await expect(own.getByRole("heading", { name: "The building right now" })).toBeVisible();
  return own;
}

/** Two hours from two days ahead: 6.00 EUR. The path of its pass. */
async function reserve(own: Page, url: string, lot: Lot): Promise<string> {
  const start_time = new Date(Date.now() + 2 * 86_400_000).toISOString();
  const { reservation } = await makeByApi(own.request, url, "reservations", { spot_id: lot.spot, start_time, duration_hours: 2 });
  return `/reservations/${reservation.id}`;
}

async function openForm(page: Page, pass: string): Promise<void> {
  await page.goto(`${pass}/pay`);
  await expectLive(page);
  await expect(page.getByLabel("Card number")).toBeVisible();
}

async function pay(page: Page, card: string): Promise<void> {
  await page.getByLabel("Card number").fill(card);
  await page.getByRole("button", { name: "Pay 6.00 EUR" }).click();
}

async function expectPaid(page: Page, pass: string): Promise<void> {
  await expect(page).toHaveURL(new RegExp(`${pass}$`));
  await expect(page.getByText("Paid", { exact: true })).toBeVisible();
  await expect(page.getByText("Confirmed", { exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: "Pay by card" })).toHaveCount(0);
}

const DAY = new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin", dateStyle: "short" }).format(Date.now() + 2 * 86_400_000);

/** As a `datetime-local` field of a lot in Berlin wants it: two days ahead. */
const at = (time: string): string => `${DAY}T${time}`;

// Whoever asks again for what is paid already is told so with a 409: whether the webhook or the page is faster is chance.
test.beforeEach(({ complaints }) => void complaints.expected.push(/status of 409/));

test("a driver reserves on a phone, pays by card and comes to the pass", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url);
  const phone = await driver(page, url, openContext, { viewport: PHONE, hasTouch: true });
  await phone.goto(`/parking/reserve?lot=${lot.id}`);
  await expectLive(phone);
  await phone.getByLabel("From").fill(at("10:00"));
  await phone.getByLabel("Until").fill(at("12:00"));
  await phone.getByRole("button", { name: "Show price" }).click();
  await expect(phone.locator("#offer")).toContainText("the spot is held 15 minutes");
  await phone.getByRole("button", { name: "Reserve", exact: true }).click();

  await expect(phone).toHaveURL(/\/reservations\/[0-9a-f]{32}\/pay$/);
  await expectLive(phone);
  await expect(phone.getByTestId("pay-spot")).toHaveText(lot.spot);
  await expect(phone.getByTestId("receipt")).toContainText("Parking: 4 × 1.50 EUR");
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
  await expect(phone.getByTestId("hold-left")).toHaveText(/^1?\d:\d\d$/);
  const pass = new URL(phone.url()).pathname.replace("/pay", "");

  // Whoever does not pay at once finds the way from the pass.
  await phone.goto(pass);
  await expectLive(phone);
  await expect(phone.getByTestId("payment")).toContainText("To be paid now");
  await phone.getByRole("link", { name: "Pay by card" }).click();
  await expect(phone).toHaveURL(new RegExp(`${pass}/pay$`));
  await expectLive(phone);
  await pay(phone, CARDS.good);
  await expectPaid(phone, pass);

  // Nothing is left to be paid there.
  await phone.goto(`${pass}/pay`);
  await expectPaid(phone, pass);
});

test("a card that is declined says why, and another one can be tried", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const own = await driver(page, url, openContext);
  const pass = await reserve(own, url, await makeLot(page.request, url));
  await openForm(own, pass);
  await pay(own, "4242");
  await expect(own.getByRole("alert").filter({ hasText: "Your card number is incomplete." })).toBeVisible();
  await pay(own, CARDS.declined);
  await expect(own.getByRole("alert").filter({ hasText: "Your card was declined." })).toBeVisible();
  await expect(own.getByRole("button", { name: "Pay 6.00 EUR" })).toBeEnabled();
  await pay(own, CARDS.good);
  await expectPaid(own, pass);
});

test("the payer's bank asks in the page, or on a page of its own, and leads back", async ({ page, house, stripe, openContext }) => {
  const { url } = house.portico;
  const own = await driver(page, url, openContext);
  const inPage = await reserve(own, url, await makeLot(page.request, url));
  await openForm(own, inPage);
  await pay(own, CARDS.asks);
  await expect(own.getByRole("button", { name: "Pay 6.00 EUR" })).toHaveAttribute("aria-busy", "true");
  await own.getByRole("button", { name: "Complete authentication" }).click();
  await expectPaid(own, inPage);

  const elsewhere = await reserve(own, url, await makeLot(page.request, url));
  await openForm(own, elsewhere);
  await pay(own, CARDS.leadsAway);
  await expect(own).toHaveURL(new RegExp(`^${stripe.url}/v3/bank/`));
  await own.getByRole("button", { name: "Fail authentication" }).click();
  // Back, with the reason; and without the secret in the address.
  await expect(own.getByRole("alert").filter({ hasText: "We are unable to authenticate your payment method." })).toBeVisible();
  await expect(own).toHaveURL(new RegExp(`${elsewhere}/pay$`));
  await expectLive(own);
  await pay(own, CARDS.leadsAway);
  await own.getByRole("button", { name: "Complete authentication" }).click();
  await expectPaid(own, elsewhere);
});

test("what is paid elsewhere or at the place ends the waiting page", async ({ page, house, stripe, openContext }) => {
  const { url } = house.portico;
  const own = await driver(page, url, openContext);
  // Stripe tells of it by itself.
  const told = await reserve(own, url, await makeLot(page.request, url));
  await openForm(own, told);
  const asked = await own.request.post(`${url}/api/v1/payments/create-intent`, {
    data: { reservation_id: told.split("/").pop() },
    headers: { Origin: url },
  });
  const { payment_intent_id } = await asked.json();
  expect((await fetch(`${stripe.url}/_double/payment_intents/${payment_intent_id}/complete`, { method: "POST" })).ok).toBeTruthy();
  await expectPaid(own, told);

  // Who looks after the lot notes that it was paid there.
  const noted = await reserve(own, url, await makeLot(page.request, url));
  await openForm(own, noted);
  const answer = await page.request.post(`${url}/api/v1${noted}/paid`, { headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(200);
  await expectPaid(own, noted);
});

test("a hold that ends says so, and leads to reserving again", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const own = await driver(page, url, openContext);
  const lot = await makeLot(page.request, url, { hold_minutes: 1 });
  const pass = await reserve(own, url, lot);
  await own.goto(`${pass}/pay`);
  await expectLive(own);
  // The shortest hold that there is: a minute.
  await expect(own.getByText("The time to pay has run out")).toBeVisible({ timeout: 120_000 });
  await expect(own.getByLabel("Card number")).toHaveCount(0);
  await expect(own.getByTestId("hold-left")).toBeHidden();
  await own.getByRole("link", { name: "Reserve again" }).click();
  await expect(own.getByRole("heading", { name: "Reserve a spot" })).toBeVisible();
  await expect(own.locator("#ask")).toContainText(lot.spot);
  await expect(own.locator("#offer").getByText("Free then")).toBeVisible();
});

test("no other page may load anything of Stripe's, and nobody else sees the form", async ({ page, house, stripe, openContext, complaints }) => {
  const { url } = house.portico;
  const own = await driver(page, url, openContext);
  const pass = await reserve(own, url, await makeLot(page.request, url));
  const policy = async (path: string) => (await own.request.get(`${url}${path}`)).headers()["content-security-policy"];
  const [host, named] = [stripe.url, `${pass}/pay`];
  const wide = await policy(named);
  for (const directive of ["script-src", "connect-src", "frame-src"])
    expect(wide.split("; ").find((part) => part.startsWith(directive)), directive).toContain(host);
  expect(wide).not.toContain("unsafe-inline");
  for (const path of ["/", "/reservations", pass, "/parking", "/parking/reserve", "/login", `${pass}/pay/more`]) {
    const narrow = await policy(path);
    expect(narrow, path).toContain("script-src 'self'");
    expect(narrow, path).not.toContain(host);
    expect(narrow, path).not.toContain("stripe");
  }
  const kept = (await own.request.get(`${url}${named}`)).headers();
  expect(kept["cache-control"]).toContain("no-store");

  complaints.expected.push(/status of 404/);
  const other = await driver(page, url, openContext);
  expect((await other.goto(named))?.status()).toBe(404);
  await expect(other.getByRole("heading", { name: "Not found" })).toBeVisible();
});

test("who parks without an account pays by card on the page of his stay", async ({ page, house, stripe, openContext }) => {
  const { url } = house.portico;
  const lot = await makeLot(page.request, url, { is_walk_up: true });
  const phone = await (await openContext({ baseURL: url, viewport: PHONE, hasTouch: true })).newPage();
  await phone.goto(`/park/${lot.key}`);
  await expect(phone).toHaveTitle(/Park here/);
  const narrow = (await phone.request.get(`${url}/park/${lot.key}`)).headers()["content-security-policy"];
  expect(narrow).not.toContain(stripe.url);
  await phone.getByRole("link", { name: "2 h", exact: true }).click();
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
  await phone.getByLabel("E-mail").fill("guest@example.org");
  await phone.getByRole("button", { name: "Park here" }).click();

  await expect(phone).toHaveURL(/\/park\/pass\/[0-9a-f]{64}$/);
  const pass = new URL(phone.url()).pathname;
  await expect(phone.getByTestId("payment")).toContainText("To be paid now");
  await expect(phone.getByTestId("hold-left")).toHaveText(/^1?\d:\d\d$/);
  await expect(phone.getByLabel("Card number")).toBeVisible();
  await expectFits(phone, "stay-pay");
  await expectClean(phone, "stay-pay");
  await phone.screenshot({ path: "screenshots/stay-pay-phone-light.png", fullPage: true });
  await pay(phone, CARDS.declined);
  await expect(phone.getByRole("alert").filter({ hasText: "Your card was declined." })).toBeVisible();
  // His bank asks on a page of its own, and leads back to that of the stay.
  await pay(phone, CARDS.leadsAway);
  await phone.getByRole("button", { name: "Complete authentication" }).click();
  await expect(phone).toHaveURL(new RegExp(`${pass}$`));
  await expect(phone.getByText("Paid", { exact: true })).toBeVisible();
  await expect(phone.getByTestId("payment")).toHaveCount(0);
  await expect(phone.getByLabel("Card number")).toHaveCount(0);

  // Longer costs more, and is paid in the same way.
  await phone.getByRole("button", { name: /^1 h more, until .*: 3\.00 EUR$/ }).click();
  await expect(phone.getByTestId("receipt").locator("tfoot")).toContainText("9.00 EUR");
  await expect(phone.getByTestId("payment")).toContainText("3.00 EUR");
  await phone.getByLabel("Card number").fill(CARDS.good);
  await phone.getByRole("button", { name: "Pay 3.00 EUR" }).click();
  await expect(phone.getByTestId("payment")).toHaveCount(0);
  await expect(phone.getByText("Paid", { exact: true })).toBeVisible();

  const dark = await (await openContext({ baseURL: url, colorScheme: "dark" })).newPage();
  const other = await makeLot(page.request, url, { is_walk_up: true });
  const { token } = await makeByApi(page.request, url, `public/spots/${other.key}/stays`, { duration_minutes: 120 });
  await dark.goto(`/park/pass/${token}`);
  await expect(dark.getByLabel("Card number")).toBeVisible();
  await expectFits(dark, "stay-pay");
  await expectClean(dark, "stay-pay");
  await dark.screenshot({ path: "screenshots/stay-pay-desktop-dark.png", fullPage: true });
});

test("the page is clean and fits a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const pass = await reserve(page, url, await makeLot(page.request, url));
  for (const [name, viewport] of [["phone", PHONE], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      await openForm(screen, pass);
      await expectFits(screen, "pay");
      await expectClean(screen, "pay");
      await screen.screenshot({ path: `screenshots/pay-${name}-${colorScheme}.png`, fullPage: true });
      await pay(screen, "4242");
      await expect(screen.getByRole("alert").filter({ hasText: "incomplete" })).toBeVisible();
      await expectClean(screen, "pay-refused");
    }
  }
});

test("without JavaScript the page says what to do instead", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const pass = await reserve(page, url, await makeLot(page.request, url));
  const still = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await still.goto(`${pass}/pay`);
  // In a <noscript>, which Chromium does not draw when its scripts are only switched off.
  expect(await still.content()).toContain("Paying by card needs JavaScript.");
  await expect(still.getByText("Number of the reservation")).toContainText(pass.split("/").pop()!);
  await expect(still.getByTestId("receipt").locator("tfoot")).toContainText("6.00 EUR");
});
