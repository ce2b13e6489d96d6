(function () {
  // Figures follow the page between light and dark.
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function paint() {
    var ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    var card = getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
    document.querySelectorAll(".plotly-graph-div").forEach(function (figure) {
      var change = { "font.color": ink, "hoverlabel.bgcolor": card };
      if (figure.layout && figure.layout.updatemenus) {
        change["updatemenus[0].bgcolor"] = card;
        change["updatemenus[0].font.color"] = ink;
      }
      (figure.layout && figure.layout.annotations || []).forEach(function (_, place) {
        change["annotations[" + place + "].bgcolor"] = card;
      });
      Plotly.relayout(figure, change);
    });
  }
  dark.addEventListener("change", paint);
  window.addEventListener("load", paint);
})();
