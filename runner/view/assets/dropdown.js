"use strict";
// What dcc.Dropdown leaves to be fixed for keyboards and screen readers: a hidden field is in the tab order instead of
// its button, an open list has no name, and its radio buttons, which the arrow keys reach, are called options around them.
function fix() {
  for (const field of document.querySelectorAll(".dash-dropdown-focus-target[tabindex='0']")) {
    field.tabIndex = -1;
    field.nextElementSibling.tabIndex = 0;
  }
  for (const list of document.querySelectorAll(".dash-dropdown-content:not([aria-label])")) {
    const button = document.querySelector(`[aria-controls="${list.id}"]`);
    const label = button && button.closest(".field").querySelector(".label");
    for (const each of [list, list.querySelector("[role=listbox]"), list.querySelector("input[type=search]")]) {
      if (each) each.setAttribute("aria-label", label ? label.textContent : "Choices");
    }
  }
  for (const option of document.querySelectorAll(".dash-dropdown-option[role=option]")) {
    option.removeAttribute("role");
    option.removeAttribute("aria-selected");
    option.closest("[role=listbox]")?.setAttribute("role", "radiogroup");
    option.querySelector("input").tabIndex = -1;
  }
}
new MutationObserver(fix).observe(document.documentElement, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["tabindex"],
});
