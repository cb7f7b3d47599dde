// piquet: the banner's script. Without it the banner is a block at the top of the page; nothing is sent, nothing is loaded.
// In a frame of another site it takes the banner away; of the style "modal" it makes a window, once in a session.
(function () {
  "use strict";

  var KEY = "piquet-seen";
  var banner = document.querySelector("aside[data-piquet].piquet-banner");
  if (!banner) return;
  if (isInForeignFrame()) {
    banner.remove();
    return;
  }
  if (banner.getAttribute("data-style") !== "modal" || typeof HTMLDialogElement !== "function") return;

  var sign = banner.getAttribute("data-piquet");
  var before = recall();
  if (before === sign) {
    banner.hidden = true;
    return;
  }
  // Where nothing can be remembered it stays a block: a window would be there again on every page.
  if (before === null || !remember()) return;
  open();

  function isInForeignFrame() {
    if (window.top === window.self) return false;
    if (/\.piquet\.localhost$/.test(window.location.hostname)) return false; // `piquet preview` shows a whole window in a frame
    try {
      return window.top.location.origin !== window.location.origin;
    } catch (error) {
      return true;
    }
  }

  function recall() {
    try {
      return window.sessionStorage.getItem(KEY) || "";
    } catch (error) {
      return null;
    }
  }

  function remember() {
    try {
      window.sessionStorage.setItem(KEY, sign);
      return true;
    } catch (error) {
      return false;
    }
  }

  function open() {
    var text = banner.querySelector(".piquet-text");
    var dialog = document.createElement("dialog");
    var bar = document.createElement("div");
    var button = document.createElement("button");
    dialog.setAttribute("aria-label", banner.getAttribute("aria-label"));
    bar.className = "piquet-bar";
    button.type = "button";
    button.textContent = banner.getAttribute("data-close");
    bar.appendChild(button);
    dialog.appendChild(bar);
    dialog.appendChild(text);
    banner.appendChild(dialog);
    banner.classList.add("piquet-moved");
    button.addEventListener("click", function () { dialog.close(); });
    // A click that began and ended on the backdrop; selecting text and letting go outside is none.
    var pressed = null;
    dialog.addEventListener("pointerdown", function (event) { pressed = event.target; });
    dialog.addEventListener("click", function (event) {
      if (event.target === dialog && pressed === dialog) dialog.close();
    });
    dialog.addEventListener("close", function () { banner.remove(); });
    dialog.showModal(); // moves the focus in, keeps it there, closes on Escape, and gives it back
  }
})();
