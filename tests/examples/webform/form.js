// The form works without this.  It adds: no second click, and the code filled in by the phone (WebOTP),
// for which the message must end in a line that names the site: "@example.com #{{pin}}" in the template.
"use strict";

const PATIENCE_MS = 5 * 60 * 1000;
const form = document.getElementById("pin-form");

const typed = document.getElementById("number");
if (typed) typed.setSelectionRange(typed.value.length, typed.value.length);

for (const each of document.forms)
  each.addEventListener("submit", () => {
    for (const button of document.querySelectorAll("button")) button.disabled = true;
  });
// Back from the next page, perhaps out of the browser's cache
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button")) button.disabled = false;
});

if (form && "OTPCredential" in window) {
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  addEventListener("submit", stop);
  addEventListener("pagehide", stop);
  setTimeout(stop, PATIENCE_MS);
  navigator.credentials.get({ otp: { transport: ["sms"] }, signal: waiting.signal }).then((found) => {
    document.getElementById("pin").value = found.code;
    form.requestSubmit();
  }).catch(() => {}); // refused, aborted or timed out: the person types it
}
