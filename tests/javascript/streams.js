// What becomes of a stream. When it breaks, the pieces before come with the error as `pieces`.

export async function pieces(stream) {
  const got = [];
  try {
    for await (const piece of stream) {
      got.push(piece);
    }
  } catch (error) {
    return { got, broke: { class: error.constructor.name, message: String(error.message) } };
  }
  return { got };
}

export async function abandoned(stream) {
  for await (const piece of stream) {
    return piece;
  }
}
