/** A part of the page: it shows the session in its element, and passes on what the user does there. */
export class Panel {
  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  constructor(root, session) {
    this.root = root;
    this.session = session;
  }

  /** The element of this id, inside the panel. */
  find(id) {
    return this.root.querySelector(`#${id}`);
  }

  /** Calls `listener` with the `detail` of each event of the session. */
  on(type, listener) {
    this.session.addEventListener(type, ({ detail }) => listener(detail));
  }
}
