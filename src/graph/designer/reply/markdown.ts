import type { Stage } from "../design/plan-stages.ts";

export const bullets = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
export const capitalise = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
export const stageText = ({ stage, choice }: Stage) => `**${stage}**: ${choice}`;
