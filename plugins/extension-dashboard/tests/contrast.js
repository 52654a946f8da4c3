// Texts whose contrast with what is behind them is less than 4.5.
() => {
  const rgb = (text) => {
    const of = (text.match(/[\d.]+/g) || []).map(Number);
    return text.startsWith('color(srgb') ? [of[0] * 255, of[1] * 255, of[2] * 255, of[3] ?? 1] : [of[0], of[1], of[2], of[3] ?? 1];
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) { const c = rgb(getComputedStyle(at).backgroundColor); if (c[3]) layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((under, [r, g, b, a]) => [r, g, b].map((v, n) => v * a + under[n] * (1 - a)), [255, 255, 255]);
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest('.hidden, .skip, .ruler, noscript')) continue;
    const [a, b] = [light(rgb(style.color).slice(0, 3)), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${node.textContent.trim()} ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return poor;
}
