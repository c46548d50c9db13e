// violates: react/button-has-type
export const Press = () => <button>Press</button>;
