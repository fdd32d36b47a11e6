"use strict";
// A cell that leads to a trial. React makes a text node of whatever a model wrote.
window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
window.dashAgGridComponentFunctions.TrialLink = (props) =>
  props.value
    ? React.createElement("a", { href: props.value.href, tabIndex: -1, "aria-label": `${props.value.text}, ${props.value.persona}` }, props.value.text)
    : null;

// Enter follows the link of the cell, or else the first of the row.
window.dashAgGridFunctions = window.dashAgGridFunctions || {};
window.dashAgGridFunctions.openTrial = (params) => {
  if (params.event.key !== "Enter") return;
  const cell = params.event.target.closest(".ag-cell");
  const link = cell && (cell.querySelector("a") || cell.closest(".ag-row").querySelector("a"));
  if (link) link.click();
};
