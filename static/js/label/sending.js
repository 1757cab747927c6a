// How each kind of operation of the outbox goes to the server.

// Returns what delivers operations of one kind: resolves to [{token, message}] of those refused, or throws Failure.
export function deliverer(api, urls) {
  const ways = {
    answer: async (operations) => (await api.post(urls.answersUrl, operations.map(answer_row))).refused,
    undo: ([{ answer }]) => api.post(urls.undoUrl, { token: answer }),
    mark: ([{ about, mark, isOn }]) => api.post(urls.markUrl, { sampleId: about, mark, isOn }),
    comment: ([{ about, text, token }]) => api.post(urls.commentUrl, { sampleId: about, text, token }),
  };
  return async (operations) => {
    const { kind } = operations[0];
    const answer = await ways[kind](operations);
    return kind === "answer" ? answer : [];
  };
}

function answer_row({ token, sampleId, labelId, tags, proof, ms, unsure }) {
  return { token, sampleId, labelId, tags, proof, ms, unsure };
}
