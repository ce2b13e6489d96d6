function problem(text, node) { found.push(text + ": " + node.outerHTML.slice(0, 120)); }
var found = [];
document.querySelectorAll("details").forEach(function (one) { one.open = true; });
document.querySelectorAll("button.open").forEach(function (one) { one.click(); });
document.querySelectorAll("table").forEach(function (table) {
  if (!table.querySelector("th")) problem("no heading", table);
});
document.querySelectorAll("th").forEach(function (head) {
  if (["col", "row", "colgroup", "rowgroup"].indexOf(head.scope) < 0) problem("no scope", head);
});
document.querySelectorAll("figure").forEach(function (figure) {
  if (!figure.getAttribute("aria-label") || !figure.querySelector("figcaption")) problem("no label", figure);
});
document.querySelectorAll("nav").forEach(function (nav) { if (!nav.getAttribute("aria-label")) problem("no label", nav); });
document.querySelectorAll(".scroll").forEach(function (area) {
  if (area.tabIndex !== 0 || area.getAttribute("role") !== "region" || !area.getAttribute("aria-label")) problem("mute", area);
});
Array.from(document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")).forEach(function (control) {
  if (control.closest(".plotly-graph-div") || control.disabled) return;
  if (control.tabIndex !== 0) problem("out of order", control);
  control.focus();
  if (document.activeElement !== control) problem("takes no focus", control);
  var said = control.getAttribute("aria-label") || control.textContent.trim() || (control.closest("label") || {}).textContent;
  if (!said) problem("no name", control);
});
return found;
