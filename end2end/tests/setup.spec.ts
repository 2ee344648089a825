// From nothing to a signed-in administrator, and out again. Each test has a Portico of its own.

import { expect as baseExpect, test as base } from "@playwright/test";
import { Portico } from "../support/server";
import { ADMIN, Complaints, forgetSession, setUp, signIn } from "../support/test";

const test = base.extend<{ portico: Portico; complaints: Complaints }>({
  portico: async ({}, use) => {
    const portico = await Portico.start();
    await use(portico);
    await portico.stop();
  },
  complaints: [
    // After `portico`, so that it is judged before the server goes.
    async ({ context, portico: _ }, use) => {
      const complaints = new Complaints();
      complaints.watch(context);
      await use(complaints);
      baseExpect(complaints.unexpected(), "errors on the browser's console").toEqual([]);
    },
    { auto: true },
  ],
});
const expect = baseExpect;

test("the printed link makes the first administrator, once", async ({ page, portico }) => {
  const link = await portico.setupLink();
  await setUp(page, link);

  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Portico is set up" })).toBeVisible();
  await page.getByRole("link", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/login|\/$/);
});

test("a weak password is refused beside its field and nothing typed is lost", async ({ page, portico }) => {
  await page.goto(await portico.setupLink());
  await page.getByLabel("Organisation").fill("Example House");
  await page.getByLabel("Your user name").fill(ADMIN.username);
  await page.getByLabel("Your e-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill("passwordpassword");
  await page.getByRole("button", { name: "Set up Portico" }).click();

  const password = page.getByLabel("Password");
  await expect(password).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Organisation")).toHaveValue("Example House");
  await expect(page.getByLabel("Your e-mail")).toHaveValue(ADMIN.email);
  await expect(password).toHaveValue("");
});

test("signing out ends the session, signing in returns to where one wanted to go", async ({ page, portico }) => {
  await setUp(page, await portico.setupLink());
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await expect(page.getByText("You are signed out.")).toBeVisible();

  await page.goto(`${portico.url}/devices?connection=online`);
  await expect(page).toHaveURL(/\/login\?next=/);

  await page.getByLabel("User name or e-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill("not the right password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText(/\S/);
  await expect(page.getByLabel("User name or e-mail")).toHaveValue(ADMIN.email);

  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/devices\?connection=online$/);
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
});

test("five wrong passwords lock the account for a while", async ({ page, portico }) => {
  await setUp(page, await portico.setupLink());
  await forgetSession(page);
  for (let attempt = 0; attempt < 5; attempt++) {
    await signIn(page, portico.url, ADMIN.username, `wrong password ${attempt}`);
    await expect(page.getByRole("alert")).toContainText(/\S/);
  }
  await signIn(page, portico.url);
  await expect(page).toHaveURL(/\/login/);
  await expect(page.getByRole("alert")).toContainText(/lock|too many|minutes|later/i);
});

test("a stranger gets nothing", async ({ page, portico, request }) => {
  await setUp(page, await portico.setupLink());
  const answer = await request.get(`${portico.url}/api/v1/devices`);
  expect(answer.status()).toBe(401);
  expect(answer.headers()["content-type"]).toContain("application/problem+json");
});
