// What every page must be, wherever it is shown.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** A phone, held upright. */
export const PHONE = { width: 390, height: 844 };

/** Nothing that keeps people from using it. */
export async function expectClean(page: Page, what = new URL(page.url()).pathname): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.map((node) => `${node.html} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
  expect(found).toEqual([]);
}

/** Nobody has to scroll sideways. */
export async function expectFits(page: Page, what = new URL(page.url()).pathname): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wide, `${what} scrolls sideways`).toBeLessThanOrEqual(0);
}
