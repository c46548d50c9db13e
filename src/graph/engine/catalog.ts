/** One family of machine-learning tasks and how systems of its kind are usually built. */
export interface TaskFamily {
  name: string;
  words: RegExp;
  data: string;
  baseline: string;
  model: string;
  metric: string;
  alternative: string;
  risk: string;
}

export const TASK_FAMILIES: readonly TaskFamily[] = [
  {
    name: "recommendation",
    words: /recommend|personali[sz]|suggest(?:ion|ing) (?:products|items|content)|feed/i,
    data: "user–item interactions (views, clicks, purchases) and item attributes",
    baseline: "most popular items per segment",
    model: "two-tower retrieval followed by a gradient-boosted ranker",
    metric: "recall@100 for retrieval, NDCG@10 for ranking, then click-through in an A/B test",
    alternative: "matrix factorisation: simpler, but weak on new items",
    risk: "feedback loops and popularity bias: keep 5 % exploration traffic",
  },
  {
    name: "fraud and anomaly detection",
    words: /fraud|anomal|intrusion|abuse|money launder|outlier/i,
    data: "timestamped events with account, device and amount, and late labels from chargebacks or reviews",
    baseline: "hand-written rules and velocity limits",
    model: "gradient-boosted trees on windowed aggregates, with an isolation forest for the unseen",
    metric: "precision at the review team's capacity and recall by amount (PR-AUC, not accuracy)",
    alternative: "graph neural network over shared devices: stronger on rings, costly to serve",
    risk: "adversaries adapt: monitor drift daily and retrain weekly",
  },
  {
    name: "time-series forecasting",
    words: /forecast|demand|time series|predict (?:sales|load|traffic|inventory)|inventory/i,
    data: "history per series at the planning grain, calendar, price and promotion",
    baseline: "seasonal naive",
    model: "one global gradient-boosted model on lags and calendar, with quantile outputs",
    metric: "weighted absolute percentage error and pinball loss on a rolling backtest",
    alternative: "a temporal transformer: gains on long horizons, needs far more series",
    risk: "regime changes and stock-outs that hide demand: mask them in training",
  },
  {
    name: "computer vision",
    words: /image|photo|video|camera|vision|visual|defect|x-?ray|ocr/i,
    data: "labelled images drawn from the real cameras, with a frozen test set per site",
    baseline: "a pretrained backbone with a linear head",
    model: "a fine-tuned compact vision backbone, quantised for serving",
    metric: "mAP or per-class recall at a fixed false-alarm rate",
    alternative: "a vision-language model by API: no training, higher cost per image",
    risk: "lighting and camera shift: sample hard cases for labelling every week",
  },
  {
    name: "search and ranking",
    words: /search|ranking|relevance|query/i,
    data: "queries, documents and clicks corrected for position",
    baseline: "BM25",
    model: "hybrid lexical and embedding retrieval with a cross-encoder re-ranker",
    metric: "NDCG@10 on judged queries, then success rate online",
    alternative: "LambdaMART on features: cheap and explainable",
    risk: "click data repeats today's ranking: collect judgements too",
  },
  {
    name: "language and retrieval-augmented answering",
    words:
      /chat ?bot|assistant|rag\b|llm|question answering|summari[sz]|document|support ticket|text|sentiment|translat|nlp/i,
    data: "the documents or texts, split by structure, and 200 real questions with checked answers",
    baseline: "keyword search with templates",
    model: "hybrid retrieval, re-ranking and a language model that must cite its passages",
    metric: "answer correctness and citation precision on the checked questions",
    alternative: "fine-tuning a small model: cheaper per call, stale knowledge",
    risk: "invented answers and prompt injection: cite, refuse without evidence, filter inputs",
  },
  {
    name: "churn and conversion prediction",
    words: /churn|retention|conversion|lead scor|lifetime value|propensity/i,
    data: "customer snapshots as of a date, with the outcome in the window after it",
    baseline: "logistic regression on recency, frequency and value",
    model: "calibrated gradient-boosted trees, with uplift for who to contact",
    metric: "uplift at the contact budget and calibration error",
    alternative: "survival model: gives when, not only whether",
    risk: "leakage from after the snapshot: build features as of their time",
  },
  {
    name: "speech",
    words: /speech|voice|audio|call recording|transcri/i,
    data: "recordings with transcripts across accents and noise",
    baseline: "a pretrained recogniser as it is",
    model: "a fine-tuned streaming recogniser with domain vocabulary",
    metric: "word error rate by speaker group",
    alternative: "a hosted speech API: quick, audio leaves the house",
    risk: "uneven error by accent: report it by group and gate releases on it",
  },
  {
    name: "tabular prediction",
    words: /predict|classif|regress|scor|risk|credit|price|estimate|detect/i,
    data: "one row per decision with features as known at that time, and its outcome",
    baseline: "a regularised linear model",
    model: "calibrated gradient-boosted trees",
    metric: "log loss and calibration on a split by time",
    alternative: "a tabular neural network: rarely better below a million rows",
    risk: "leakage and drift: validate by time and monitor the inputs",
  },
];
