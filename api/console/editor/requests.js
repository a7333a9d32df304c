// Requests to the pages of this server, with the token of the session's forms. They never leave this host.

export async function post(form, address, values, signal) {
  const body = new URLSearchParams({csrf: form.elements.csrf?.value ?? "", file: form.dataset.file, ...values})
  return fetch(address, {method: "POST", body, signal, credentials: "same-origin", headers: {Accept: "application/json"}})
}

// One request at a time: a newer one ends the one before it.
export function newestOnly() {
  let controller = null
  return () => {
    controller?.abort()
    controller = new AbortController()
    return controller.signal
  }
}
