// How one gets in: sign-up, links by e-mail, passkeys (Chromium's virtual authenticator), authenticator apps, invitations.

import { expect as baseExpect, test as base, type Page } from "@playwright/test";
import { MailCatcher } from "../support/mail";
import { Portico } from "../support/server";
import { ADMIN, Complaints, expectLive, forgetSession, setUp, signIn } from "../support/test";
import { totp } from "../support/totp";

const PASSWORD = "seven purple umbrellas 42";
const OTHER_PASSWORD = "nine quiet harbours at dawn";

const test = base.extend<{ mail: MailCatcher; portico: Portico; settings: Record<string, string>; complaints: Complaints }>({
  settings: [{}, { option: true }],
  mail: async ({}, use) => {
    const mail = await MailCatcher.start();
    await use(mail);
    await mail.stop();
  },
  portico: async ({ mail, settings }, use, info) => {
    const portico = await Portico.start({ ...mail.settings, ...settings });
    await use(portico);
    await portico.stop();
    if (info.status !== info.expectedStatus) await info.attach("server.log", { body: portico.log, contentType: "text/plain" });
  },
  complaints: [
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

/** The link as it works in this browser, which knows the server by its name. */
const named = (portico: Portico, link: string) => link.replace(/^https?:\/\/[^/]+/, portico.namedUrl);

/** Ends at a sign-in page that leads to the overview: the page left behind may still ask to come back to itself. */
async function signOut(page: Page, portico: Portico): Promise<void> {
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await expect(page.getByText("You are signed out.")).toBeVisible();
  await page.goto(`${portico.namedUrl}/login`);
}

test.describe("open sign-up", () => {
  test.use({ settings: { signup: "open" } });

  test("sign-up, confirm the address, passkey, authenticator app, forgotten password", async ({ page, portico, mail, complaints }) => {
    complaints.expected.push(/status of 40[013]/);
    await setUp(page, await portico.setupLink());
    await forgetSession(page);

    // Sign up; the account works, and says what is missing.
    const email = "grace@example.org";
    await page.goto(`${portico.namedUrl}/login`);
    await page.getByRole("link", { name: "Make an account" }).click();
    await page.getByLabel("User name").fill("grace");
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Make account" }).click();
    await expect(page.getByRole("heading", { name: "Account" })).toBeVisible();
    await expect(page.getByText("Not confirmed")).toBeVisible();

    await page.goto(named(portico, await mail.link(email, "/verify-email")));
    await page.getByRole("button", { name: "Confirm address" }).click();
    await expect(page.getByRole("heading", { name: "Your e-mail address is confirmed" })).toBeVisible();
    await page.getByRole("link", { name: "Go to your account" }).click();
    await expect(page.getByText("Confirmed", { exact: true })).toBeVisible();

    // A passkey, kept by a phone that knows its owner by the face.
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await expectLive(page);
    await page.getByText("Add a passkey", { exact: true }).click();
    await page.locator("#add-passkey").getByLabel("Name").fill("Grace's phone");
    await page.getByRole("button", { name: "Make passkey" }).click();
    await expect(page.getByTestId("recovery-codes").locator("li")).toHaveCount(10);
    await expect(page.getByText("Grace's phone", { exact: true })).toBeVisible();
    const recovery = await page.getByTestId("recovery-codes").locator("li").allInnerTexts();

    await signOut(page, portico);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();

    // With the password, the passkey is the second step.
    await signOut(page, portico);
    await signIn(page, portico.namedUrl, "grace", PASSWORD);
    await expect(page.getByRole("heading", { name: "Second step" })).toBeVisible();
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();

    // An authenticator app.
    await page.goto(`${portico.namedUrl}/account/app`);
    await expectLive(page);
    await page.getByRole("button", { name: "Set up an app" }).click();
    await expect(page.getByRole("img", { name: "QR code for the app" })).toBeVisible();
    const secret = await page.getByTestId("totp-secret").innerText();
    await page.getByLabel("Code", { exact: true }).fill("000000");
    await page.getByRole("button", { name: "Finish" }).click();
    await expect(page.getByText("This code does not fit", { exact: false })).toBeVisible();
    await page.getByLabel("Code", { exact: true }).fill(totp(secret));
    await page.getByRole("button", { name: "Finish" }).click();
    await expect(page.getByRole("heading", { name: "Your app is set up" })).toBeVisible();
    const codes = await page.getByTestId("recovery-codes").locator("li").allInnerTexts();
    expect(codes).not.toContain(recovery[0]);

    await signOut(page, portico);
    await signIn(page, portico.namedUrl, "grace", PASSWORD);
    await page.getByLabel("Code", { exact: true }).fill("000000");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("alert").first()).toContainText("wrong");
    // The code that finished the set-up was used: the next one is taken already.
    await page.getByLabel("Code", { exact: true }).fill(totp(secret, 1));
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();

    // The password is forgotten; the second step is not.
    await signOut(page, portico);
    await page.getByRole("link", { name: "Forgot your password?" }).click();
    await page.getByLabel("User name or e-mail").fill(email);
    await page.getByRole("button", { name: "Send link" }).click();
    await expect(page.getByRole("heading", { name: "Look into your mailbox" })).toBeVisible();
    const reset = named(portico, await mail.link(email, "/reset-password"));
    await page.goto(reset);
    await page.getByLabel("New password").fill("short");
    await page.locator("#reset-password").evaluate((form: HTMLFormElement) => (form.noValidate = true));
    await page.getByRole("button", { name: "Set password" }).click();
    await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "true");
    await page.getByLabel("New password").fill(OTHER_PASSWORD);
    await page.getByRole("button", { name: "Set password" }).click();
    await expect(page.getByText("Your new password is set.")).toBeVisible();
    await signIn(page, portico.namedUrl, "grace", OTHER_PASSWORD);
    await page.getByLabel("Code", { exact: true }).fill(codes[0]);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();
    await page.goto(reset);
    await expect(page.getByRole("heading", { name: "This link is not valid any more" })).toBeVisible();
    await expect.poll(() => mail.mails.map(({ subject }) => subject)).toContain("A new password was set");
  });
});

test("an invitation makes an account with the chosen role, once", async ({ page, portico, mail, browser, complaints }) => {
  complaints.expected.push(/status of 403/);
  await setUp(page, await portico.setupLink());
  await page.goto(`${portico.url}/users`);
  await page.getByRole("link", { name: "Invitations" }).click();
  await expect(page.getByText("Nobody is invited")).toBeVisible();
  await expectLive(page);
  await page.getByText("Invite", { exact: true }).first().click();
  await page.locator("#invite").getByLabel("E-mail").fill("grace@example.org");
  await page.locator("#invite").getByLabel("Role").selectOption("manager");
  await page.getByRole("button", { name: "Send invitation" }).click();
  const row = page.getByRole("row").filter({ hasText: "grace@example.org" });
  await expect(row).toContainText("Open");
  const first = await mail.link("grace@example.org", "/invitation");
  await row.getByRole("button", { name: "Send again" }).click();
  const link = await mail.link("grace@example.org", "/invitation", 1);
  expect(link).not.toEqual(first);

  const context = await browser.newContext();
  const grace = await context.newPage();
  await grace.goto(first);
  await expect(grace.getByRole("heading", { name: "This invitation is not valid any more" })).toBeVisible();
  await grace.goto(link);
  await expect(grace.getByRole("heading", { name: "Welcome to Example House" })).toBeVisible();
  await grace.getByLabel("User name").fill("grace");
  await grace.getByLabel("Password").fill(PASSWORD);
  await grace.getByRole("button", { name: "Make account" }).click();
  await expect(grace.getByRole("heading", { name: "The building right now" })).toBeVisible();
  await grace.goto(`${portico.url}/account`);
  await expect(grace.getByText("manager", { exact: true })).toBeVisible();
  await context.close();
  await page.reload();
  await expect(row).toContainText("Accepted");
});

test.describe("short step-up", () => {
  test.use({ settings: { "identity.step_up_s": "15" } });

  /** The session is no longer fresh. */
  const stale = async (page: Page, portico: Portico) => {
    const begin = () => page.request.post(`${portico.url}/api/v1/account/passkeys/begin`, { headers: { Origin: portico.url } });
    await expect.poll(async () => (await begin()).status()).toBe(403);
  };

  test("an old session is asked who it is, then goes on with what it began", async ({ page, portico, complaints }) => {
    complaints.expected.push(/status of 40[03]/);
    await setUp(page, await portico.setupLink());
    await page.goto(`${portico.url}/invitations`);
    await expectLive(page);
    await stale(page, portico);
    await page.getByText("Invite", { exact: true }).first().click();
    await page.locator("#invite").getByLabel("E-mail").fill("grace@example.org");
    await page.locator("#invite").getByLabel("Role").selectOption("admin");
    await page.getByRole("button", { name: "Send invitation" }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByRole("heading", { name: "Is it you?" })).toBeVisible();
    await dialog.getByLabel("Password").fill("not the right one");
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(dialog.getByText("The password is wrong.")).toBeVisible();
    await dialog.getByLabel("Password").fill(ADMIN.password);
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(page.getByRole("row").filter({ hasText: "grace@example.org" })).toContainText("admin");
    await expect(dialog).toHaveCount(0);
  });

  test.describe("without JavaScript", () => {
    test.use({ javaScriptEnabled: false });

    test("the same on a page of its own", async ({ page, portico, complaints }) => {
      complaints.expected.push(/preloaded using link preload/);
      await setUp(page, await portico.setupLink());
      await stale(page, portico);
      await page.goto(`${portico.url}/account/app`);
      await page.getByRole("button", { name: "Set up an app" }).click();
      await expect(page.getByRole("heading", { name: "Is it you?" })).toBeVisible();
      await page.getByLabel("Password").fill(ADMIN.password);
      await page.getByRole("button", { name: "Go on" }).click();
      await expect(page).toHaveURL(/\/account\/app$/);
      await page.getByRole("button", { name: "Set up an app" }).click();
      const secret = await page.getByTestId("totp-secret").innerText();
      await page.getByLabel("Code", { exact: true }).fill(totp(secret));
      await page.getByRole("button", { name: "Finish" }).click();
      await expect(page.getByTestId("recovery-codes").locator("li")).toHaveCount(10);
      await page.getByRole("button", { name: "Sign out" }).first().click();
      await expect(page.getByText("You are signed out.")).toBeVisible();
      await signIn(page, portico.url);
      await page.getByLabel("Code", { exact: true }).fill(totp(secret, 1));
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();
    });
  });
});
