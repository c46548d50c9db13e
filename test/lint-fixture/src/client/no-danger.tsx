// violates: react/no-danger
export const Html = ({ html }: { html: string }) => <p dangerouslySetInnerHTML={{ __html: html }} />;
