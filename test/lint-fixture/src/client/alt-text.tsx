// violates: jsx-a11y/alt-text
export const Picture = () => <img src="x.png" />;
