function parts(colour) { return colour.match(/[\d.]+/g).map(Number); }
function over(top, below) {
  var alpha = top.length > 3 ? top[3] : 1;
  return [0, 1, 2].map(function (i) { return alpha * top[i] + (1 - alpha) * below[i]; });
}
function behind(node) {
  if (!node) return [255, 255, 255];
  return over(parts(getComputedStyle(node).backgroundColor), node === document.documentElement ? [255, 255, 255] : behind(node.parentElement));
}
function light(colour) {
  var c = colour.map(function (one) { one /= 255; return one <= 0.03928 ? one / 12.92 : Math.pow((one + 0.055) / 1.055, 2.4); });
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}
document.querySelectorAll("details").forEach(function (one) { one.open = true; });
document.querySelectorAll("button.open").forEach(function (one) { one.click(); });
var found = {}, seen = {};
document.querySelectorAll("body *").forEach(function (node) {
  var own = Array.from(node.childNodes).some(function (one) { return one.nodeType === 3 && one.textContent.trim(); });
  if (!own || node.closest("svg, script, style, noscript") || node.disabled) return;
  var back = behind(node), ink = over(parts(getComputedStyle(node).color), back), a = light(ink), b = light(back);
  var ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), name = node.tagName + "." + node.className;
  seen[name] = ratio;
  if (ratio < 4.5) found[name] = ratio.toFixed(2) + " " + node.textContent.slice(0, 40);
});
return { low: found, seen: Object.keys(seen) };
