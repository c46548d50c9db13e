// violates: jsx-a11y/no-static-element-interactions, jsx-a11y/click-events-have-key-events
export const Box = ({ act }: { act: () => void }) => <div onClick={act}>act</div>;
