// piquet: the banner's script. Without it the banner is a block at the top of the page; nothing is sent, nothing is loaded.
// In a frame of another site it takes the banner away; of the style "modal" it makes a window, once for each visitor.
(function () {
  "use strict";

  var KEY = "piquet-seen";
  var banner = document.querySelector("aside[data-piquet].piquet-banner");
  if (!banner) return;
  if (isInForeignFrame()) {
    banner.remove();
    return;
  }
  if (banner.getAttribute("data-style") !== "modal") {
    forget();
    return;
  }
  if (typeof HTMLDialogElement !== "function") return;
  if (isVeiled()) return;
  tell();

  function tell() {
    var sign = banner.getAttribute("data-piquet");
    var before = recall();
    if (before === sign) banner.classList.add("piquet-told");
    // What nobody has looked at (a tab in the background, a page made in advance) has told nobody.
    else if (document.visibilityState === "hidden") document.addEventListener("visibilitychange", tell, { once: true });
    // Where nothing can be remembered it stays a block: a window would be there again on every page.
    else if (before !== null && remember(sign)) open();
  }

  // Without its style sheet the banner is not there; a window in it would be one that nobody sees and nobody can close.
  function isVeiled() {
    return banner.getClientRects().length === 0;
  }

  function isInForeignFrame() {
    if (window.top === window.self) return false;
    if (/\.piquet\.localhost$/.test(window.location.hostname)) return false; // `piquet preview` shows a whole window in a frame
    try {
      return window.top.location.origin !== window.location.origin;
    } catch (error) {
      return true;
    }
  }

  // One key for the whole site and all of its tabs, which the next banner of ours writes anew or takes out. It is no
  // cookie: that would go to the site's application with every request, and past the caches in front of it.
  function recall() {
    try {
      return window.localStorage.getItem(KEY) || "";
    } catch (error) {
      return null;
    }
  }

  function remember(sign) {
    try {
      window.localStorage.setItem(KEY, sign);
      return true;
    } catch (error) {
      return false;
    }
  }

  function forget() {
    try {
      window.localStorage.removeItem(KEY);
    } catch (error) {
      // then there is nothing to forget
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
