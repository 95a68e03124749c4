// The sign-in form and the simulated phone as a person sees them.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import path from "node:path";
import puppeteer from "puppeteer-core";

const { FORM_URL, PHONE_URL, CHROMIUM, PICTURES } = process.env;
const LOOKS = [
  { name: "light", width: 900, height: 640, scheme: "light" },
  { name: "dark", width: 900, height: 640, scheme: "dark" },
  { name: "narrow", width: 360, height: 700, scheme: "light" },
];
let browser, context, complaints;
let serial = 385920000000 + (process.pid % 10000) * 1000;

const number = () => String(++serial);
const heading = (page) => page.$eval("h1", (e) => e.textContent);
const text = (page, selector) => page.$eval(selector, (e) => e.textContent);

async function open(url, look = LOOKS[0]) {
  const page = await context.newPage();
  // What a page has to be blamed for; an answer of 400 to a wrong PIN is none of it
  page.on("console", (m) => { if (!/status of 4\d\d/.test(m.text())) complaints.push(m.text()); });
  page.on("pageerror", (e) => complaints.push(e.message));
  await page.setViewport(look);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: look.scheme }, { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  await page.goto(url);
  return page;
}

const press = (page, selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
const picture = (page, name) => page.screenshot({ path: path.join(PICTURES, name + ".png") });

async function pinOf(to) {
  const messages = await (await fetch(`${PHONE_URL}messages?to=${to}`)).json();
  return /\d{4,}/.exec(messages.at(-1).text)[0];
}

async function send(page, to) {
  await page.type("#number", "+" + to);
  await press(page, "button.main");
}

// WCAG 2: 4.5 for text, and nothing wider than the window
async function checkReadable(page) {
  const poor = await page.evaluate(() => {
    const rgb = (c) => (c.match(/[\d.]+/g) || []).map(Number);
    const light = (c) => {
      const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = (e) => {
      for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const e of document.querySelectorAll("body *")) {
      if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
      const [a, b] = [light(rgb(getComputedStyle(e).color)), light(back(e))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) found.push(`${e.tagName} "${e.textContent}" ${contrast.toFixed(2)}`);
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
    return found;
  });
  assert.deepEqual(poor, []);
}

before(async () => {
  browser = await puppeteer.launch({
    executablePath: CHROMIUM, headless: true, args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
});
after(() => browser.close());
beforeEach(async () => {
  complaints = [];
  context = await browser.createBrowserContext();
});
afterEach(async () => {
  await context.close();
  assert.deepEqual(complaints, []);
});

for (const look of LOOKS)
  describe(`in ${look.name}`, () => {
    it("a person signs in with the code that arrives on the phone", async () => {
      const to = number();
      const phone = await open(PHONE_URL + "#" + to, look);
      await phone.waitForSelector("#empty:not([hidden])");
      await picture(phone, `${look.name}-phone-empty`);
      const form = await open(FORM_URL, look);
      await checkReadable(form);
      await picture(form, `${look.name}-1-number`);
      await send(form, "12");
      assert.match(await text(form, "#error"), /country code/);
      assert.equal(await form.evaluate(() => document.activeElement.id), "number");
      assert.match(await form.title(), /^Error: /);
      await checkReadable(form);
      await picture(form, `${look.name}-2-no-number`);
      await form.$eval("#number", (e) => { e.value = ""; });
      await send(form, to);
      assert.equal(await heading(form), "Enter the code");
      assert.equal(await form.evaluate(() => document.activeElement.id), "pin");
      await picture(form, `${look.name}-3-pin`);
      await form.type("#pin", "0");
      await press(form, "button.main");
      assert.match(await text(form, "#error"), /2 more tries/);
      await checkReadable(form);
      await picture(form, `${look.name}-4-wrong-pin`);
      await press(form, "form[action='/again'] button");
      assert.match(await text(form, ".notice"), /once more/);
      await checkReadable(form);
      await picture(form, `${look.name}-5-again`);

      await phone.bringToFront(); // it has heard of both by itself
      await phone.waitForFunction(() => document.querySelectorAll("#list li").length === 2);
      await phone.waitForFunction(() => document.querySelector("#list .good"));
      await checkReadable(phone);
      await picture(phone, `${look.name}-phone`);
      await form.bringToFront();
      await form.type("#pin", await text(phone, ".digits"));
      await form.keyboard.press("Enter");
      await form.waitForFunction(() => document.querySelector("h1.good"));
      assert.equal(await heading(form), "Signed in");
      await checkReadable(form);
      await picture(form, `${look.name}-6-signed-in`);
    });
  });

it("the form works without JavaScript", async () => {
  const page = await context.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(FORM_URL);
  const to = number();
  await send(page, to);
  await page.type("#pin", await pinOf(to));
  await press(page, "button.main");
  assert.match(await page.content(), /Signed in<\/h1>/);
});

// Chromium on a desk has no SMS: OTPCredential as a phone has it
async function withOtp(page) {
  await page.evaluateOnNewDocument(() => {
    window.OTPCredential = class {};
    navigator.credentials.get = (asked) => new Promise((resolve, reject) => {
      window.asked = asked.otp;
      window.arrive = (code) => resolve({ code });
      asked.signal.addEventListener("abort", () => {
        sessionStorage.setItem("aborted", "yes");
        reject(asked.signal.reason);
      });
    });
  });
}

it("a code that the phone hands over signs in by itself", async () => {
  const to = number();
  const form = await open("about:blank");
  await withOtp(form);
  await form.goto(FORM_URL);
  assert.equal(await form.evaluate(() => window.asked), undefined);
  await send(form, to);
  assert.deepEqual(await form.evaluate(() => window.asked), { transport: ["sms"] });
  const pin = await pinOf(to);
  await Promise.all([form.waitForNavigation(), form.evaluate((code) => window.arrive(code), pin)]);
  assert.equal(await heading(form), "Signed in");
});

it("waiting for the phone ends when the person types the code", async () => {
  const to = number();
  const form = await open("about:blank");
  await withOtp(form);
  await form.goto(FORM_URL);
  await send(form, to);
  await form.type("#pin", await pinOf(to));
  await press(form, "button.main");
  assert.equal(await heading(form), "Signed in");
  assert.equal(await form.evaluate(() => sessionStorage.getItem("aborted")), "yes");
});

it("reloading and going back send nothing twice", async () => {
  const to = number();
  const form = await open(FORM_URL);
  await send(form, to);
  await form.reload();
  await form.goBack();
  await form.goForward();
  const messages = await (await fetch(`${PHONE_URL}messages?to=${to}`)).json();
  assert.equal(messages.length, 1);
});

it("one click copies the code on the phone, and the pages link to each other", async () => {
  const to = number();
  await context.overridePermissions(new URL(PHONE_URL).origin,
    ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
  const form = await open(FORM_URL);
  await send(form, to);
  const [tab] = await Promise.all([
    new Promise((resolve) => context.once("targetcreated", resolve)), form.click(".trying a"),
  ]);
  const phone = await tab.page();
  await phone.waitForSelector(".copy");
  assert.equal(new URL(phone.url()).hash, "#" + to);
  await phone.bringToFront();
  await phone.click(".copy");
  await phone.waitForFunction(() => document.querySelector(".copy").textContent === "Copied");
  assert.equal(await phone.evaluate(() => navigator.clipboard.readText()), await pinOf(to));
  await phone.waitForSelector("#form:not([hidden])");
  assert.equal(await phone.$eval("#form", (e) => e.href), FORM_URL);
});
