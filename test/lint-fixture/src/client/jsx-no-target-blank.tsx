// violates: react/jsx-no-target-blank
export const Out = ({ url }: { url: string }) => (
  <a href={url} target="_blank">
    out
  </a>
);
