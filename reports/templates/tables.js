(function () {
  "use strict";
  // Tables sort, filter and choose columns and selection of epochs; the address keeps what was chosen.
  var state = new URLSearchParams(location.search);

  function keep(key, value, usual) {
    if (value === usual) state.delete(key); else state.set(key, value);
    var query = state.toString();
    try { history.replaceState(null, "", (query ? "?" + query : location.pathname) + location.hash); } catch (error) { /* a browser that forbids it */ }
  }
  function make(tag, attributes, parent, text) {
    var element = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) { element.setAttribute(name, attributes[name]); });
    if (text !== undefined) element.textContent = text;
    if (parent) parent.appendChild(element);
    return element;
  }
  function mean(values) { return values.reduce(function (sum, value) { return sum + value; }, 0) / values.length; }
  function deviation(values) {
    var centre = mean(values);
    return Math.sqrt(values.reduce(function (sum, value) { return sum + (value - centre) * (value - centre); }, 0) / (values.length - 1));
  }
  var FACETS = [
    { name: "paper", all: "every paper", said: "Rows of one paper", of: function (row) { return row.paper; } },
    { name: "year", all: "every year", said: "Rows of one year", of: function (row) { return row.year; } },
    { name: "kind", all: "every kind of row", said: "Rows of one kind", of: function (row) { return row.kind; } }
  ];
  function percent(share) { return (100 * share).toFixed(1); }

  function enhance(facts) {
    var holder = document.getElementById("table-" + facts.name), table = holder && holder.querySelector("table");
    if (!table) return;
    var heads = Array.from(table.querySelectorAll("thead tr:last-child > *"));
    var body = table.querySelector("tbody");
    var groups = [], lines = [];
    Array.from(body.rows).forEach(function (line) {
      if (line.className.indexOf("gt_group_heading_row") >= 0) { groups.push({ head: line, lines: [] }); return; }
      if (!groups.length) groups.push({ head: null, lines: [] });
      var entry = { line: line, row: facts.rows[lines.length], cells: Array.from(line.cells), detail: null };
      entry.usual = entry.cells.map(function (cell) { return cell.innerHTML; });
      groups[groups.length - 1].lines.push(entry);
      lines.push(entry);
    });
    var key = function (name) { return facts.name + "." + name; };
    var bar = make("div", { "class": "tools", role: "group", "aria-label": "Show, hide and search the rows of this table" });
    holder.parentNode.parentNode.insertBefore(bar, holder.parentNode);
    var search = make("input", { type: "search", placeholder: "Filter: method, paper, year", "aria-label": "Filter rows" }, bar);
    var selection = make("select", { "aria-label": "How the epoch was chosen" }, bar);
    [["validation", "epoch: best on validation"], ["last", "epoch: last"], ["oracle", "epoch: best on test (oracle)"]].forEach(function (pair) {
      make("option", { value: pair[0] }, selection, pair[1]);
    });
    var facets = FACETS.map(function (facet) {
      var values = Array.from(new Set(facts.rows.map(facet.of))).filter(Boolean).sort();
      if (values.length < 2) return null;
      var chooser = make("select", { "aria-label": facet.said }, bar);
      make("option", { value: "" }, chooser, facet.all);
      values.forEach(function (text) { make("option", { value: text }, chooser, text); });
      chooser.value = state.get(key(facet.name)) || "";
      if (chooser.selectedIndex < 0) chooser.value = "";  // an address from before
      return { chooser: chooser, of: facet.of, name: facet.name };
    }).filter(Boolean);
    var ceilings = null;
    if (facts.rows.some(function (row) { return row.ceiling; })) {
      var label = make("label", {}, bar);
      ceilings = make("input", { type: "checkbox" }, label);
      label.appendChild(document.createTextNode(" ceilings"));
      ceilings.checked = state.get(key("ceilings")) !== "no";
    }
    var choice = make("details", { "class": "columns" }, bar);
    make("summary", {}, choice, "columns");
    var list = make("div", {}, choice), hidden = (state.get(key("hide")) || "").split("~").filter(Boolean);
    var boxes = heads.slice(1).map(function (head, place) {
      var label = make("label", {}, list), box = make("input", { type: "checkbox" }, label), name = head.textContent.trim();
      label.appendChild(document.createTextNode(" " + name));
      box.checked = hidden.indexOf(name) < 0;
      box.addEventListener("change", function () { show(); });
      return { box: box, name: name, place: place + 1 };
    });
    var notice = make("p", { "class": "soft notice", "aria-live": "polite" });
    holder.parentNode.parentNode.insertBefore(notice, holder.parentNode.nextSibling);
    search.value = state.get(key("filter")) || "";
    selection.value = state.get(key("epoch")) || "validation";
    var order = (state.get(key("sort")) || "").split("~");

    function value(entry, column) {
      if (column === 0) return entry.row.label.toLowerCase();
      var metric = column - 1;
      if (metric < facts.metrics.length) {
        var values = entry.row.values[selection.value][metric];
        return values.length ? mean(values) : null;
      }
      var text = entry.cells[column].textContent.replace("\u2212", "-"), number = parseFloat(text);
      return isNaN(number) ? null : number;
    }
    function redraw() {
      lines.forEach(function (entry) {
        facts.metrics.forEach(function (_, metric) {
          var cell = entry.cells[metric + 1], values = entry.row.values[selection.value][metric];
          if (selection.value === "validation") { cell.innerHTML = entry.usual[metric + 1]; return; }
          cell.textContent = values.length ? percent(mean(values)) : "\u2014";
          if (values.length > 1) make("span", { "class": "sd" }, cell, " \u00b1 " + percent(deviation(values)));
        });
      });
    }
    function arrange() {
      var column = heads.findIndex(function (head) { return head.textContent.trim() === order[0]; }), down = order[1] !== "up";
      heads.forEach(function (head, place) {
        if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
      });
      groups.forEach(function (group) {
        var sorted = group.lines.slice();
        if (column >= 0) sorted.sort(function (a, b) {
          var x = value(a, column), y = value(b, column);
          if (x === null || y === null) return (x === null) - (y === null);  // empty cells stay at the end
          return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
        });
        if (group.head) body.appendChild(group.head);
        sorted.forEach(function (entry) {
          body.appendChild(entry.line);
          if (entry.detail) body.appendChild(entry.detail);
        });
      });
    }
    function show() {
      var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), seen = 0;
      lines.forEach(function (entry) {
        var row = entry.row, text = [row.label, row.method, row.title, row.paper, row.preset, entry.whose].join(" ").toLowerCase();
        var fits = words.every(function (word) { return text.indexOf(word) >= 0; }) && (!row.ceiling || !ceilings || ceilings.checked)
          && facets.every(function (facet) { return !facet.chooser.value || facet.of(row) === facet.chooser.value; });
        entry.line.hidden = !fits;
        if (entry.detail) entry.detail.hidden = !fits;
        seen += fits;
      });
      groups.forEach(function (group) {
        if (group.head) group.head.hidden = group.lines.every(function (entry) { return entry.line.hidden; });
      });
      boxes.forEach(function (one) {
        [heads[one.place]].concat(lines.map(function (entry) { return entry.cells[one.place]; })).forEach(function (cell) {
          cell.style.display = one.box.checked ? "" : "none";
        });
      });
      var gone = boxes.filter(function (one) { return !one.box.checked; }).map(function (one) { return one.name; });
      keep(key("filter"), search.value, "");
      facets.forEach(function (facet) { keep(key(facet.name), facet.chooser.value, ""); });
      keep(key("epoch"), selection.value, "validation");
      keep(key("hide"), gone.join("~"), "");
      if (ceilings) keep(key("ceilings"), ceilings.checked ? "yes" : "no", "yes");
      var parts = [];
      if (seen < lines.length) parts.push(seen + " of " + lines.length + " rows shown.");
      if (selection.value === "oracle") parts.push("Epochs chosen on test data: an upper bound, not a result. Tests over seeds belong to validation.");
      if (selection.value === "last") parts.push("Last epochs. Tests over seeds belong to validation.");
      notice.textContent = parts.join(" ");
    }
    function open(entry, button) {
      var closing = !!entry.detail;
      button.setAttribute("aria-expanded", closing ? "false" : "true");
      if (closing) { entry.detail.remove(); entry.detail = null; return; }
      entry.detail = make("tr", { "class": "detail" });
      describe(facts, entry.row, make("td", { colspan: heads.length }, entry.detail));
      entry.line.parentNode.insertBefore(entry.detail, entry.line.nextSibling);
    }
    heads.forEach(function (head) {
      var name = head.textContent.trim();
      head.textContent = "";
      var button = make("button", { type: "button", "class": "sort", title: "Sort by " + name }, head, name);
      button.addEventListener("click", function () {
        order = [name, order[0] === name && order[1] !== "up" ? "up" : "down"];
        keep(key("sort"), order.join("~"), "");
        arrange();
      });
    });
    lines.forEach(function (entry) {
      var cell = entry.cells[0], badges = Array.from(cell.querySelectorAll(".badge"));
      badges.forEach(function (badge) { badge.remove(); });
      entry.whose = badges.map(function (badge) { return badge.textContent; }).join(" ");
      var name = cell.textContent.trim();
      cell.textContent = "";
      var button = make("button", { type: "button", "class": "open", "aria-expanded": "false", title: "Seeds, intervals, settings and runs" }, cell, name);
      badges.forEach(function (badge) { cell.appendChild(document.createTextNode(" ")); cell.appendChild(badge); });
      references(entry.row, make("small", { "class": "references" }, cell));
      button.addEventListener("click", function () { open(entry, button); });
    });
    [search, selection].concat(facets.map(function (facet) { return facet.chooser; }), ceilings ? [ceilings] : []).forEach(function (control) {
      control.addEventListener("input", function () { if (control === selection) { redraw(); arrange(); } show(); });
    });
    redraw(); arrange(); show();
  }

  function references(row, parent) {
    ["paper", "code"].forEach(function (kind) {
      if (!row.links[kind]) return;
      parent.appendChild(document.createTextNode(" "));
      make("a", { href: row.links[kind], rel: "noopener noreferrer", "aria-label": kind + " of " + row.label }, parent, kind);
    });
  }
  function describe(facts, row, cell) {
    var first = make("p", {}, cell, row.title + (row.paper ? ". " + row.paper : "") + ". ");
    if (row.page) make("a", { href: row.page }, first, "All its results, parameters and claims");
    references(row, first);
    var changed = Object.keys(row.changed).map(function (name) { return name + "=" + row.changed[name]; });
    if (row.method) make("p", {}, cell, (row.preset ? "Preset " + row.preset : "Declared defaults") + (changed.length ? "; changed: " + changed.join(", ") : "") + ".");
    var table = make("table", { "class": "plain" }, cell); first = make("tr", {}, table);
    ["metric", "epoch", "mean", "each seed"].forEach(function (name) { make("th", { scope: "col" }, first, name); });
    facts.metrics.forEach(function (metric, place) {
      ["validation", "last", "oracle"].forEach(function (selection) {
        var values = row.values[selection][place];
        if (!values.length) return;
        var line = make("tr", {}, table);
        [metric, row.given || selection, percent(mean(values)), values.map(percent).join("  ")].forEach(function (text) { make("td", {}, line, text); });
      });
    });
    if (!row.runs.length) return;
    var runs = make("p", {}, cell, "Runs: ");
    row.runs.forEach(function (run) {
      var words = "seed " + run.seed + " " + run.status + (run.seconds === null ? "" : ", " + run.seconds + " s") + (run.marks.length ? ", " + run.marks.join(", ") : "") + (run.origin ? ", " + run.origin : "");
      if (run.page) make("a", { href: run.page }, runs, words); else make("span", {}, runs, words);
      make("code", {}, runs, " " + run.run.slice(0, 8) + " ");
    });
  }

  // Which tables are shown: those of one protocol, dataset or task, where the page has several.
  function choose(bar) {
    var sections = Array.from(document.querySelectorAll("section[data-protocol]"));
    var choosers = ["protocol", "dataset", "task"].map(function (name) {
      var values = Array.from(new Set(sections.map(function (one) { return one.dataset[name]; }))).sort();
      if (values.length < 2) return null;
      var chooser = make("select", { "aria-label": "Tables of one " + name }, bar);
      make("option", { value: "" }, chooser, "every " + name);
      values.forEach(function (text) { make("option", { value: text }, chooser, text); });
      chooser.value = state.get(name) || "";
      if (chooser.selectedIndex < 0) chooser.value = "";
      chooser.addEventListener("input", show);
      return { chooser: chooser, name: name };
    }).filter(Boolean);
    function show() {
      sections.forEach(function (section) {
        var fits = choosers.every(function (one) { return !one.chooser.value || section.dataset[one.name] === one.chooser.value; });
        section.hidden = !fits;
        document.querySelectorAll("[data-part='" + section.id + "']").forEach(function (part) { part.hidden = !fits; });
      });
      choosers.forEach(function (one) { keep(one.name, one.chooser.value, ""); });
      window.dispatchEvent(new Event("resize"));  // figures that were drawn while hidden take their width
    }
    if (choosers.length) show(); else bar.remove();
  }
  document.querySelectorAll("script.rows").forEach(function (script) { enhance(JSON.parse(script.textContent)); });
  document.querySelectorAll(".tools.tables").forEach(choose);
})();
