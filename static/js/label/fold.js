// Letters without case and accents, for finding "Größe" by "grosse" and "café" by "cafe".

export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss").trim();
}
