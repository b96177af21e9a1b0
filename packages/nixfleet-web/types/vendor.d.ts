/** Alpine (CSP build), as much of it as the page uses. */
declare const Alpine: {
  data(name: string, component: (...given: any[]) => object): void;
  start(): void;
  initTree(element: Element): void;
};
export default Alpine;
