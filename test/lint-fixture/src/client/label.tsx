// violates: jsx-a11y/label-has-associated-control
export const Label = () => <label>Name</label>;
