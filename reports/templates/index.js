(function () {
  "use strict";
  // The list of runs, fifty at a time: thousands of table rows at once are slow in every browser.
  var LENGTH = 50, NUMBERS = [4, 6, 7], HEADLINE = 6, rows = JSON.parse(document.getElementById("rows").textContent), shown = rows.slice();
  var filter = document.getElementById("filter"), body = document.querySelector("#list tbody"), start = 0, order = null, down = true;
  var heads = Array.from(document.querySelectorAll("#list th"));
  function cell(line, text, place) {
    var element = document.createElement("td");
    if (NUMBERS.indexOf(place) >= 0) element.className = "number";
    element.textContent = text === null ? "" : place === HEADLINE ? text.toFixed(1) : text;
    line.appendChild(element);
    return element;
  }
  function draw() {
    body.textContent = "";
    shown.slice(start, start + LENGTH).forEach(function (row) {
      var line = document.createElement("tr");
      var first = cell(line, "", 0), code = document.createElement(row[9] ? "a" : "code");
      code.textContent = row[0].slice(0, 10);
      if (row[9]) code.href = row[9];
      first.appendChild(code);
      row.slice(1, 9).forEach(function (text, place) { cell(line, text, place + 1); });
      if (row[5] === "failed") line.className = "failed";
      body.appendChild(line);
    });
    var last = Math.min(start + LENGTH, shown.length);
    document.getElementById("place").textContent = shown.length ? (start + 1) + "–" + last + " of " + shown.length : "none";
    document.getElementById("back").disabled = start === 0;
    document.getElementById("on").disabled = last === shown.length;
  }
  function arrange() {
    var words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.filter(function (row) {
      var text = row.slice(0, 6).join(" ").toLowerCase();
      return words.every(function (word) { return text.indexOf(word) >= 0; });
    });
    if (order !== null) shown.sort(function (a, b) {
      var x = a[order], y = b[order];
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    start = 0;
    draw();
  }
  heads.forEach(function (head, place) {
    head.querySelector("button").addEventListener("click", function () {
      down = order === place ? !down : true;
      order = place;
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      arrange();
    });
  });
  filter.addEventListener("input", arrange);
  document.getElementById("back").addEventListener("click", function () { start = Math.max(0, start - LENGTH); draw(); });
  document.getElementById("on").addEventListener("click", function () { start += LENGTH; draw(); });
  draw();
})();
